"""The wheels that a package carries: for other architectures and Pythons than this machine's, each named by its hash."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name, parse_wheel_filename

MACHINES: Final[Mapping[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of an architecture to the kernel's."""
SYSTEMS: Final[Mapping[str, str]] = {
    "3.10": "JetPack 6",
    "3.11": "Debian and Raspberry Pi OS Bookworm",
    "3.12": "Ubuntu 24.04",
    "3.13": "Debian and Raspberry Pi OS Trixie",
}
"""The Pythons of the systems that units have."""
NUMPY: Final[Mapping[str, str]] = {"3.10": "numpy<2", "3.11": "numpy<2", "3.12": "numpy<2", "3.13": "numpy>=2.2,<3"}
"""picamera2 and PyGObject come from the system, and with them libraries that were made for the system's numpy."""
GLIBC: Final = ("2_28", "2_27", "2_26", "2_17")
"""Bookworm has 2.36, JetPack 6 has 2.35; a tag names the least that a wheel needs."""
SOURCE_ONLY: Final = ("gpsd-py3==0.3.0",)
"""Without a wheel in the registry; it is pure Python, and made into one here."""
EXTRA: Final = "pi"
"""What ronde needs on a unit beside what it needs everywhere: lamp, buttons, the patrol log as PDF."""
UNPACKED_BY: Final = "pip"
"""Travels along: Debian's own comes only with python3-venv."""


class WheelsRefused(Exception):
    """A package cannot be filled: one sentence."""


def wheel_of(source: Path, version: str | None, out: Path) -> Path:
    """Our own wheel, made of a copy of its four packages; with a `version` that is not setup.py's for a test."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "ronde"
        copy.mkdir()
        for name in ("device", "inference", "provisioning", "sync"):
            shutil.copytree(source / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(source / name, copy)
        if version is not None:
            text = (copy / "setup.py").read_text(encoding="utf-8")
            (copy / "setup.py").write_text(re.sub(r'version="[^"]+"', f'version="{version}"', text), encoding="utf-8")
        _pip("wheel", "--no-deps", "--wheel-dir", str(out), str(copy))
    (made,) = out.glob("ronde-*.whl")
    return made


def gather(own: Path, arch: str, python: str, kept: Path) -> list[Path]:
    """Every wheel that ronde needs on that architecture and Python, its own first; `kept` is where downloads stay.

    Raises:
        WheelsRefused: one is not to be had.
    """
    kept.mkdir(parents=True, exist_ok=True)
    wanted = [str(each) for each in requirements_of(own, arch, python, EXTRA)] + [NUMPY[python], UNPACKED_BY]
    stamp = kept / "wanted.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != "\n".join(wanted):
        for each in kept.glob("*"):
            each.unlink()
        _pip("wheel", "--no-deps", "--wheel-dir", str(kept), *SOURCE_ONLY)
        _download(wanted, arch, python, kept)
        # pip answers `python_version` and `platform_machine` for the Python that it runs in, not for the one it is asked for.
        while missing := [str(each) for each in _missing(kept, arch, python)]:
            _download(missing, arch, python, kept)
        stamp.write_text("\n".join(wanted), encoding="utf-8")
    return [own, *sorted(kept.glob("*.whl"))]


def requirements_of(wheel: Path, arch: str, python: str, extra: str = "") -> Iterator[Requirement]:
    """What a wheel requires there, with one of its extras or none."""
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": MACHINES[arch],
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": extra,
    }
    with zipfile.ZipFile(wheel) as opened:
        (name,) = [each for each in opened.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each)]
        headers = HeaderParser().parsestr(opened.read(name).decode("utf-8"))
    for text in headers.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(there):
            requirement.marker = None
            yield requirement


def named(wheels: Sequence[Path]) -> str:
    """A list for `pip install --require-hashes`: each wheel but pip's own by version and hash."""
    lines = []
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if name != UNPACKED_BY:
            lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return "".join(sorted(lines))


def _missing(folder: Path, arch: str, python: str) -> list[Requirement]:
    wheels = list(folder.glob("*.whl"))
    there = {parse_wheel_filename(each.name)[0] for each in wheels}
    needed = [each for wheel in wheels for each in requirements_of(wheel, arch, python)]
    return [each for each in needed if canonicalize_name(each.name) not in there]


def _download(wanted: Sequence[str], arch: str, python: str, folder: Path) -> None:
    platforms = [option for glibc in GLIBC for option in ("--platform", f"manylinux_{glibc}_{MACHINES[arch]}")]
    target = (
        "--only-binary",
        ":all:",
        "--python-version",
        python,
        "--implementation",
        "cp",
        "--abi",
        f"cp{python.replace('.', '')}",
    )
    abis = ("--abi", "abi3", "--abi", "none")
    _pip("download", "--find-links", str(folder), "--dest", str(folder), *target, *abis, *platforms, *wanted)


def _pip(what: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", what, "--quiet", *arguments], check=False)
    if done.returncode:
        raise WheelsRefused(f"pip {what} failed; what it says stands above")
