"""What `ronde doctor` finds out about the computer itself: its supply, its heat, its card, and where its clock has the time from.

Each reads what the kernel tells below /sys, or asks a program that is there, and says so where this computer tells nothing.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from sync.checks import Check
from sync.health import temperature_c

SYS: Final = Path("/sys")
HOT_C: Final = 80.0
"""Raspberry Pi slows down from here; the Jetsons a little later."""
ASK_S: Final = 5.0
WORN: Final = 0x0A
"""Of eMMC's life_time (JESD84-B51, DEVICE_LIFE_TIME_EST): 0x0A is 90 to 100 % used, 0x0B more than that."""
FAR_S: Final = 0.5
"""chrony's own estimate of how far the clock is off."""
UNDER_VOLTAGE: Final = 1 << 0
WAS_UNDER_VOLTAGE: Final = 1 << 16
"""Bits of `vcgencmd get_throttled` (Raspberry Pi's documentation of vcgencmd)."""
BETTER_SUPPLY: Final = (
    "a supply that gives 5.1 V and 3 A (Pi 4) or 5 A (Pi 5) behind a short, thick cable; no other load on the same converter"
)

Ask = Callable[[Sequence[str]], str | None]


def ask(command: Sequence[str]) -> str | None:
    """What a program prints; None where it is not there, fails or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ASK_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def check_power(sys: Path = SYS, ask: Ask = ask) -> Check:
    """Whether the supply holds its voltage: with too little, cards are torn and cameras stall."""
    name = "power"
    said = ask(["vcgencmd", "get_throttled"])
    if said is not None and said.startswith("throttled=0x"):
        bits = int(said.removeprefix("throttled="), 16)
        if bits & UNDER_VOLTAGE:
            return Check(name, "failed", "under-voltage now", BETTER_SUPPLY)
        if bits & WAS_UNDER_VOLTAGE:
            return Check(name, "failed", "there was under-voltage since the start of the computer", BETTER_SUPPLY)
        return Check(name, "ok", "no under-voltage since the start of the computer")
    for alarm in sorted(sys.glob("class/hwmon/hwmon*/in*_lcrit_alarm")):
        if _text(alarm) == "1":
            return Check(name, "failed", f"under-voltage now, says {_text(alarm.with_name('name')) or alarm}", BETTER_SUPPLY)
        return Check(name, "ok", "no under-voltage now; what was before is not told")
    return Check(name, "does not apply", "this computer does not tell its supply's voltage")


def check_temperature(sys: Path = SYS) -> Check:
    """Whether the processor is too hot to keep up."""
    name = "temperature"
    found = temperature_c(sys / "class/thermal/thermal_zone0/temp")
    if found is None:
        return Check(name, "does not apply", "this computer does not tell its temperature")
    if found >= HOT_C:
        return Check(name, "failed", f"the processor has {found:.0f} °C and slows down", "shade and air for the box, or a fan")
    return Check(name, "ok", f"the processor has {found:.0f} °C")


def check_wear(state: Path, sys: Path = SYS, device: Callable[[Path], int] = lambda path: path.stat().st_dev) -> Check:
    """What the card or disk below the state folder says of its wear, and whether its file system has met errors."""
    name = "card wear"
    there = next((folder for folder in (state, *state.parents) if folder.is_dir()), Path("/"))
    number = device(there)
    block = (sys / f"dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if not block.is_dir():
        return Check(name, "does not apply", f"{there} lies on no block device of its own")
    system = sys / "fs/ext4" / block.name
    errors = _number(system / "errors_count")
    if errors:
        remedy = "save what is there, replace the card: its file system met errors (dmesg says which)"
        return Check(name, "failed", f"{errors} errors of the file system on {block.name}", remedy)
    disk = block if (block / "device").is_dir() else block.parent
    lives = [int(each, 16) for each in (_text(disk / "device/life_time") or "").split()]
    written = _number(system / "lifetime_write_kbytes")
    told = f"{written / 1e9:.2f} TB written to {block.name} since it was formatted" if written is not None else block.name
    if lives and max(lives) >= WORN:
        return Check(name, "failed", f"the {disk.name} has used 90 % of its life or more; {told}", "replace the card")
    if lives and max(lives) > 0:
        return Check(name, "ok", f"the {disk.name} has used {max(lives) * 10 - 10} to {max(lives) * 10} % of its life; {told}")
    if written is None:
        return Check(name, "does not apply", f"{block.name} tells nothing of its wear")
    return Check(name, "ok", f"{told}, without an error; it does not tell its wear")


def check_time_source(ask: Ask = ask) -> Check:
    """Where the clock has its time from, by chrony: the satellites (GNSS), or servers of the network."""
    name = "clock's source"
    said = ask(["chronyc", "-c", "tracking"])
    fields = said.split(",") if said else []
    if len(fields) < 14:
        return _by_systemd(name, ask)
    source, off_s = fields[1] or "nobody", abs(float(fields[4]))
    if fields[13] == "Not synchronised" or fields[2] == "0":
        remedy = "put the receiver under open sky, or let the box reach a time server: chronyc sources"
        return Check(name, "failed", "chrony has no source yet: neither the satellites nor the network", remedy)
    if off_s > FAR_S:
        return Check(name, "failed", f"chrony follows {source}, and is {_span(off_s)} off still", "wait, or: chronyc makestep")
    return Check(
        name, "ok", f"chrony follows {'the satellites (GNSS)' if source == 'GNSS' else source}, {off_s * 1000:.1f} ms off"
    )


def _by_systemd(name: str, ask: Ask) -> Check:
    said = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if said is None:
        return Check(name, "does not apply", "neither chrony nor systemd's own clock service answers here")
    if said != "yes":
        return Check(
            name, "failed", "the clock is not synchronised with anything", "sudo apt-get install chrony (the package does it)"
        )
    return Check(name, "ok", "synchronised by the network; without chrony the satellites do not set it")


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds >= 60.0 else f"{seconds:.1f} s"


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text is not None and text.isdigit() else None
