"""`ronde provision card`: a freshly flashed card, known by its boot partition, becomes the card of one unit.

Every file is replaced as a whole and the one that makes the system read the others (cmdline.txt) comes last: a card that is drawn
out too early starts as if it had not been touched.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from provisioning.card_seed import Seed, first_run, meta_data, network_config, user_data
from provisioning.durable import write_durably
from provisioning.offer import Offer, written
from provisioning.unit_files import CONFIGURATION, OFFER

Kind = Literal["trixie", "bookworm", "ubuntu", "seed"]
KINDS: Final[Mapping[Kind, str]] = {
    "trixie": "Raspberry Pi OS with cloud-init (Trixie)",
    "bookworm": "Raspberry Pi OS Bookworm",
    "ubuntu": "Ubuntu for Raspberry Pi",
    "seed": "a seed for cloud-init",
}

FIRST_BOOT: Final = "init=/usr/lib/raspberrypi-sys-mods/firstboot"
RUN_ONCE: Final = (
    "systemd.run=/boot/firmware/firstrun.sh",
    "systemd.run_success_action=reboot",
    "systemd.unit=kernel-command-line.target",
)
OURS: Final = ("cfg80211.ieee80211_regdom=", "ds=", "cgroup_enable=memory", "systemd.run", "systemd.unit=")
"""Words of cmdline.txt that are ours to set."""
CRANKING_MS: Final = 2000
"""The line has to tell it so long: many a car takes the ignition's current away while the engine is cranked."""
BEGIN, END = "# ronde begins", "# ronde ends"


class CardRefused(Exception):
    """This is no card that can be written: one sentence."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is written on a card. `content` is a file of this machine where it is large."""

    name: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class Ignition:
    """The line that falls when the ignition goes off, or with `rises` rises, as those of many a UPS HAT do."""

    gpio: int
    rises: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What a card is to carry. `ignition`: the line that tells when the ignition goes off, None where there is none."""

    seed: Seed
    offer: Offer
    package: Path | None = None
    ignition: Ignition | None = None


def kind_of(folder: Path, *, seed: bool = False) -> Kind:
    """What a boot partition belongs to; with `seed` an empty folder is a seed.

    Raises:
        CardRefused: it belongs to nothing that is known, or was started already.
    """
    if not folder.is_dir():
        raise CardRefused(f"{folder} is no folder")
    names = {each.name for each in folder.iterdir()}
    if seed:
        if names - {"user-data", "meta-data", "network-config", "ronde"}:
            raise CardRefused(f"{folder} is no place for a seed: it holds {min(names)}; it has to be empty")
        return "seed"
    if not {"config.txt", "cmdline.txt"} <= names:
        raise CardRefused(f"{folder} is no boot partition of a Raspberry Pi: it has no config.txt and cmdline.txt")
    words = _cmdline(folder).split()
    if not any(word.startswith("root=") for word in words):
        raise CardRefused(f"{folder / 'cmdline.txt'} names no root; flash the card again")
    if "firstrun.sh" in names and "ronde" not in names:
        raise CardRefused(f"{folder} holds another firstrun.sh; flash the card without the Imager's own settings")
    if names & {"user-data", "meta-data"}:
        return "ubuntu" if "root=LABEL=writable" in words else "trixie"
    if FIRST_BOOT in words:
        return "bookworm"
    raise CardRefused(f"{folder} was started already, or is of no system that ronde knows; flash the card again")


def changes_of(kind: Kind, folder: Path, order: Order) -> list[Change]:
    """Every file to be written, in order."""
    seed, package = order.seed, order.package
    changes = [Change(f"ronde/{OFFER}", written(order.offer)), Change(f"ronde/{CONFIGURATION}", seed.configuration.encode())]
    if package is not None:
        changes.append(Change(f"ronde/{package.name}", package))
    if kind == "bookworm":
        changes.append(Change("firstrun.sh", first_run(seed)))
    else:
        changes.append(Change("network-config", network_config(seed)))
        changes.append(Change("meta-data", meta_data(seed)))
        changes.append(Change("user-data", user_data(seed)))
    if kind == "seed":
        return changes
    before = (folder / "config.txt").read_text("utf-8", "replace")
    if (after := config_txt(before, order.ignition)) != before:
        changes.append(Change("config.txt", after.encode()))
    changes.append(Change("cmdline.txt", cmdline_txt(_cmdline(folder), kind, seed).encode()))
    return changes


def cmdline_txt(before: str, kind: Kind, seed: Seed) -> str:
    """The kernel's command line: the country of the radio, memory limits (a Pi has them switched off), and what is to be read."""
    words = [word for word in before.split() if not word.startswith(OURS)]
    words += [f"cfg80211.ieee80211_regdom={seed.country}", "cgroup_enable=memory"]
    # The instance on the command line is stronger than that of meta-data, and the Imager leaves one there.
    words += RUN_ONCE if kind == "bookworm" else (f"ds=nocloud;i={seed.instance}",)
    return " ".join(words) + "\n"


def config_txt(before: str, ignition: Ignition | None) -> str:
    """The firmware's configuration: the line of the ignition is a power button, which the system obeys as it does any other.

    The parameters are those of the overlay gpio-shutdown (README of the kernel's overlays).
    """
    kept = re.sub(rf"\n?{BEGIN}\n.*?{END}\n", "", before, flags=re.DOTALL)
    if ignition is None:
        return kept
    falls = not ignition.rises
    line = f"dtoverlay=gpio-shutdown,gpio_pin={ignition.gpio},active_low={int(falls)},gpio_pull={'up' if falls else 'down'}"
    return f"{kept}\n{BEGIN}\n[all]\n{line},debounce={CRANKING_MS}\n{END}\n"


def write(folder: Path, changes: Sequence[Change]) -> None:
    """Writes them, in order.

    Raises:
        CardRefused: the card does not take them.
    """
    try:
        (folder / "ronde").mkdir(exist_ok=True)
        for each in changes:
            file = folder / each.name
            if isinstance(each.content, bytes):
                write_durably(file, each.content)
            else:
                _copy(each.content, file)
        for other in (folder / "ronde").iterdir():
            if f"ronde/{other.name}" not in {each.name for each in changes}:
                other.unlink()  # of the unit that this card was for before: its answer, its request, an older package
    except OSError as error:
        raise CardRefused(f"{folder} cannot be written: {error.strerror}") from error


def _copy(source: Path, file: Path) -> None:
    if file.exists() and shutil.disk_usage(file.parent).free < source.stat().st_size:
        file.unlink()
    write_durably(file, source.read_bytes())


def _cmdline(folder: Path) -> str:
    return (folder / "cmdline.txt").read_text("utf-8", "replace")
