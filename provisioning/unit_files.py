"""What a unit is given on its card: the offer and its configuration, made in the fleet's folder below `cards/`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from provisioning.certificate import UNIT
from provisioning.durable import write_durably
from provisioning.fleet import Fleet, FleetRefused
from provisioning.offer import Offer, PaperRefused, read_paper, written
from provisioning.register import PRIVATE
from provisioning.settings import CameraKind, Settings, read_settings
from provisioning.table import SettingsError

OFFER: Final = "offer.json"
CONFIGURATION: Final = "ronde.toml"
APPLICATION: Final = "request.json"
ANSWER: Final = "answer.json"
"""Names of the files on a card, below `ronde/`."""

TEMPLATE: Final = """\
# The unit {fleet}/{name}. All that may stand here: docs/configuration.md.

[unit]
fleet = "{fleet}"
name = "{name}"

# Measure the lens once per car: height_m, pitch_deg, yaw_deg, hfov_deg.
[camera]
kind = "{camera}"

[[backend]]
name = "roads"
url = "{url}"
ca = "tls/ca.pem"
cert = "tls/unit.pem"
key = "tls/unit.key"
"""

HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE
)
KINDS: Final[tuple[CameraKind, ...]] = get_args(CameraKind)


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """The folder with a unit's offer and configuration."""

    folder: Path

    @property
    def offer_file(self) -> Path:
        """With the token in it."""
        return self.folder / OFFER

    @property
    def configuration_file(self) -> Path:
        """`ronde.toml`."""
        return self.folder / CONFIGURATION

    def offer(self) -> Offer:
        """The offer.

        Raises:
            PaperRefused: there is none, or it is damaged.
        """
        try:
            return read_paper(Offer, self.offer_file.read_bytes(), str(self.offer_file))
        except OSError as error:
            raise PaperRefused(f"{self.offer_file} cannot be read: {error.strerror}") from error

    def settings(self) -> Settings:
        """The configuration, checked as the unit will."""
        return read_settings(self.configuration_file)


def split(unit: str) -> tuple[str, str]:
    """Fleet and name of `<fleet>/<unit>`.

    Raises:
        FleetRefused: it is none.
    """
    found = UNIT.fullmatch(unit)
    if found is None:
        raise FleetRefused(
            f"{unit!r} names no unit; it is FLEET/UNIT, each of a-z, 0-9 and -, at most 31 characters: cannes/car-07"
        )
    return found[1], found[2]


def access_point_of(name: str) -> str:
    """What a unit's own Wi-Fi is called."""
    return f"ronde {name}"


def files_of(fleet: Fleet, name: str) -> UnitFiles:
    """Where a unit's files lie in the fleet's folder."""
    return UnitFiles(fleet.folder / "cards" / name)


def write_unit_files(files: UnitFiles, offer: Offer, broker_url: str, camera: CameraKind | None) -> bool:
    """Writes the offer, and the configuration where there is none or a `camera` is named; whether it was written.

    Raises:
        FleetRefused: they cannot be written.
        SettingsError: the configuration that is there is not in order, or another unit's.
    """
    fleet, name = split(offer.unit)
    text = TEMPLATE.format(fleet=fleet, name=name, url=broker_url, camera=camera or KINDS[0])
    wanted = camera is not None or not files.configuration_file.exists()
    try:
        files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if wanted:
            write_durably(files.configuration_file, text.encode(), PRIVATE)
        unit = files.settings().unit
        if (unit.fleet, unit.name) != (fleet, name):
            raise SettingsError(f"{files.configuration_file}: [unit] is {unit.fleet}/{unit.name}, not {offer.unit}")
        write_durably(files.offer_file, written(offer), PRIVATE)
    except OSError as error:
        raise FleetRefused(f"{files.folder} cannot be written: {error.strerror}") from error
    return wanted
