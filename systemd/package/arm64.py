"""`./run arm64`: the arm64 package in an emulated Debian: installed without a network, asked, and held against this machine."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from likeness import likeness, scales_of, seen_in

from device.street.recording import draw_drive
from inference.manifest import SHIPPED

BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
QEMU: Final = "/usr/bin/qemu-aarch64-static"
MAGIC: Final = (
    r":ronde-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:" + QEMU + ":F"
)
"""The beginning of a 64-bit Arm program for binfmt_misc; F: the emulator is opened now, outside the root."""
SOFTWARE: Final = ("package names", "runtime", "privacy model", "roads model")
"""The doctor's checks of the software itself; a chroot has no camera, receiver or broker."""
PLACE: Final = "srv/ronde"
"""In the root."""
SECONDS, SEED = 20.0, 11


class Failed(Exception):
    """Something of it does not hold: one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """All of it; the exit code."""
    parser = argparse.ArgumentParser(prog="./run arm64", description=__doc__)
    parser.add_argument(
        "root", type=Path, help="an aarch64 Debian's folder; with --first-stage one that debootstrap --foreign made"
    )
    parser.add_argument("package", type=Path, nargs="?", help="the arm64 package; without it, only the root is finished")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the drive (default: %(default)g)")
    given = parser.parse_args(arguments)
    enter = entering(given.root)
    print(f"emulation: {'binfmt_misc' if 'chroot' in enter else 'proot'} with {QEMU}", flush=True)
    try:
        if given.package is None:
            _run([*enter, "/debootstrap/debootstrap", "--second-stage"])
            return 0
        with _proc(given.root):
            return _try(enter, given.root, given.package, given.seconds)
    except Failed as error:
        print(f"arm64: {error}", file=sys.stderr)
        return 1


def entering(root: Path) -> list[str]:
    """How a command is run in the root, without a network: by the kernel where it knows the emulator, else by proot."""
    return [
        "unshare",
        "--net",
        *(["chroot", str(root)] if _known() else ["proot", "-q", QEMU, "-0", "-b", "/proc", "-b", "/dev", "-r", str(root)]),
    ]


def _known() -> bool:
    """Whether the kernel starts Arm programs by itself; it is told to where it was not."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=False, capture_output=True)
    if not (BINFMT / "register").exists():
        return False
    for each in BINFMT.iterdir():
        if each.name not in {"register", "status"} and "aarch64" in each.name and "enabled" in each.read_text():
            return True
    try:
        (BINFMT / "register").write_text(MAGIC)
    except OSError:
        return False
    return True


def _try(enter: list[str], root: Path, package: Path, seconds: float) -> int:
    (root / PLACE).mkdir(exist_ok=True)
    shutil.copy(package, root / PLACE)
    _timed("installed, its environment made without a network", [*enter, "dpkg", "--install", f"/{PLACE}/{package.name}"])
    (root / "etc/ronde/ronde.toml").write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n', encoding="utf-8")
    _ask_doctor(enter)
    drive, here = root / PLACE / "drive", root.parent / "replay-here"
    for old in (drive, here, root / PLACE / "replay"):
        shutil.rmtree(old, ignore_errors=True)
    draw_drive(drive, seconds, SEED, width=1456, height=1088, fps=10.0)
    _timed("replayed here", [sys.executable, "-m", "sync.command", "replay", str(drive), "--out", str(here)])
    _timed("replayed there", [*enter, "ronde", "replay", f"/{PLACE}/drive", "--out", f"/{PLACE}/replay"])
    found = likeness(seen_in(here), seen_in(root / PLACE / "replay"), scales_of(sorted(SHIPPED.glob("*.json"))))
    print("\n".join(f"{name:<20} {value}" for name, value in found.items()))
    if found["detections"] == 0:
        raise Failed("nothing was seen on the drive: nothing was compared")
    return 3 if found["goals_missed"] else 0


@contextmanager
def _proc(root: Path) -> Iterator[None]:
    """Its /proc, for programs that look at themselves."""
    subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(root / "proc")], check=False)


def _ask_doctor(enter: list[str]) -> None:
    asked = subprocess.run([*enter, "ronde", "doctor", "--json"], capture_output=True, text=True, check=False, env=_environment())
    try:
        checks = {each["name"]: each for each in json.loads(asked.stdout)["checks"]}
    except ValueError as error:
        raise Failed(f"ronde doctor --json ended with {asked.returncode}: {asked.stderr[-500:]}") from error
    for name, check in checks.items():
        print(f"  {check['state']:<14} {name}: {check['reason']}")
    bad = [name for name in SOFTWARE if checks[name]["state"] != "ok"]
    if bad:
        raise Failed(f"ronde doctor does not like {', '.join(bad)}")


def _timed(what: str, command: list[str]) -> None:
    began = time.monotonic()
    _run(command)
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


if __name__ == "__main__":
    sys.exit(main())
