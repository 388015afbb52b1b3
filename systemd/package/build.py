"""`./run deb`: ronde's Debian packages, for the architectures and Pythons that units have, made on any Debian with dpkg-deb."""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Final

from wheels import MACHINES, SYSTEMS, WheelsRefused, gather, named, wheel_of

HERE: Final = Path(__file__).parent
PROJECT: Final = HERE.parents[1]
SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
UNITS: Final = "usr/lib/systemd/system"
FILES: Final[Mapping[str, str]] = {
    "systemd/sysusers.d/ronde.conf": "usr/lib/sysusers.d/ronde.conf",
    "systemd/tmpfiles.d/ronde.conf": "usr/lib/tmpfiles.d/ronde.conf",
    "systemd/udev/60-ronde.rules": "usr/lib/udev/rules.d/60-ronde.rules",
    "systemd/package/journald.conf": "usr/lib/systemd/journald.conf.d/ronde.conf",
    "systemd/package/gpsd.conf": f"{UNITS}/gpsd.service.d/ronde.conf",
    "systemd/package/chrony.conf": "etc/chrony/conf.d/ronde.conf",
    "systemd/package/argus.conf": "usr/share/ronde/argus.conf",
    "systemd/package/copyright": "usr/share/doc/ronde/copyright",
    "README.md": "usr/share/doc/ronde/README.md",
    "CHANGELOG.md": "usr/share/doc/ronde/CHANGELOG.md",
}
"""A file of the project to its place in the package; the units beside these."""
CHANGES: Final = """\
ronde ({version}) stable; urgency=medium

  * What has changed stands in CHANGELOG.md.

 -- ronde maintainers <maintainers@ronde.invalid>  {date}
"""
CONFFILES: Final = ("etc/chrony/conf.d/ronde.conf",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds what is asked for, and says where it lies; the exit code."""
    given = _parser().parse_args(arguments)
    work = PROJECT / "build" / "deb"
    shutil.rmtree(work, ignore_errors=True)
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        own = wheel_of(PROJECT, given.version, work / "own")
        for arch in given.arch or MACHINES:
            wheels = {
                python: gather(own, arch, python, PROJECT / "build" / "wheels" / f"{arch}-{python}")
                for python in given.python or SYSTEMS
            }
            file = build(work / arch, given.out, arch, debian_version(own), wheels)
            print(f"{file}  {file.stat().st_size / 1e6:.1f} MB  Python {', '.join(wheels)}")
    except WheelsRefused as error:
        print(f"deb: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run deb", description=__doc__)
    parser.add_argument("--arch", action="append", choices=list(MACHINES), help="several times for several (default: all)")
    parser.add_argument("--python", action="append", choices=list(SYSTEMS), help="the same (default: all)")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", metavar="DIR", help="where it lies then (default: dist)")
    parser.add_argument("--version", metavar="X", help="another version than setup.py's, to try an upgrade")
    return parser


def debian_version(wheel: Path) -> str:
    """The version of a wheel as Debian orders it: 0.2.0rc1 comes before 0.2.0 by its tilde."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", wheel.name.split("-")[1])


def build(tree: Path, out: Path, arch: str, version: str, wheels: Mapping[str, Sequence[Path]]) -> Path:
    """Fills `tree` and makes the package of it."""
    lay(tree, version, wheels)
    values = {"VERSION": version, "ARCH": arch, "SIZE": str(sum(each.stat().st_size for each in _files(tree)) // 1024 + 1)}
    _lay_control(tree, values)
    file = out / f"ronde_{version}_{arch}.deb"
    # Wheels are compressed already.
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": _last_change()})
    return file


def lay(tree: Path, version: str, wheels: Mapping[str, Sequence[Path]]) -> None:
    """What the package puts on a unit."""
    for source in (*(PROJECT / "systemd").glob("ronde*.service"), *(PROJECT / "systemd").glob("ronde*.[pt]*")):
        _put(source, tree / UNITS / source.name)
    for name, place in FILES.items():
        _put(PROJECT / name, tree / place)
    changes = CHANGES.format(version=version, date=formatdate(int(_last_change())))
    (tree / "usr/share/doc/ronde/changelog.gz").write_bytes(gzip.compress(changes.encode(), mtime=0))
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/ronde").symlink_to("/opt/ronde/bin/ronde")
    for python, each in wheels.items():
        for wheel in each:
            _put(wheel, tree / "opt/ronde/wheels" / version / wheel.name)
        (tree / "opt/ronde/wheels" / version / f"{python}.txt").write_text(named(each), encoding="utf-8")
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def _lay_control(tree: Path, values: Mapping[str, str]) -> None:
    folder = tree / "DEBIAN"
    sums = "".join(f"{hashlib.md5(each.read_bytes()).hexdigest()}  {each.relative_to(tree)}\n" for each in _files(tree))  # noqa: S324 - dpkg's own
    folder.mkdir()
    for name in ("control", "triggers", *SCRIPTS):
        text = (HERE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755 if name in SCRIPTS else 0o644)
    (folder / "md5sums").write_text(sums, encoding="utf-8")
    (folder / "conffiles").write_text("".join(f"/{each}\n" for each in CONFFILES), encoding="utf-8")
    folder.chmod(0o755)


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _files(tree: Path) -> list[Path]:
    return sorted(each for each in tree.rglob("*") if each.is_file() and not each.is_symlink())


def _last_change() -> str:
    """Seconds since 1970 of the last commit, so that one commit makes one package."""
    git = ["git", "-C", str(PROJECT), "log", "-1", "--format=%ct"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(int((PROJECT / "setup.py").stat().st_mtime))


if __name__ == "__main__":
    sys.exit(main())
