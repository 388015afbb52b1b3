"""Permissions and withdrawals as a fleet's folder makes them: numbered, signed by the town's key, each kept.

permissions/    every one that was ever made, by its number
town.key/.pem   the town's key, made at the first permission; whoever permits may have one of their own elsewhere
cards/UNIT/     copies, from where `ronde provision card` takes them
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from provisioning.authorisation import (
    AUTHORISATION_FILE,
    KEY_FILE,
    KIND,
    WITHDRAWAL_FILE,
    WITHDRAWAL_KIND,
    Authorisation,
    AuthorisationRefused,
    read_authorisation,
    read_withdrawal,
    text_of,
)
from provisioning.certificate import key_pem, public_pem
from provisioning.durable import write_durably
from provisioning.fleet import Fleet, FleetRefused
from provisioning.register import PRIVATE
from provisioning.signed import PrivateKey, private_key, signed

FOLDER: Final = "permissions"
KEY: Final = "town.key"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a permission is to say. `area` is a GeoJSON Polygon or MultiPolygon."""

    authority: str
    legal_reference: str
    units: tuple[str, ...]
    area: Mapping[str, Any]
    begins_at: datetime
    ends_at: datetime
    events: tuple[str, ...]


def permit(fleet: Fleet, wanted: Wanted, key_file: Path | None) -> tuple[Authorisation, Path]:
    """Makes a permission, checked as the unit will check it; what it says, and the file.

    Raises:
        AuthorisationRefused: it would be refused by the unit.
        KeyRefused: the key is not usable.
        FleetRefused: the fleet's folder cannot be written.
    """
    try:
        with fleet.locked():
            key = _key(fleet, key_file)
            number = 1 + _last(fleet)
            document = {
                "kind": KIND,
                "number": number,
                "authority": wanted.authority,
                "legal_reference": wanted.legal_reference,
                "units": list(wanted.units),
                "area": dict(wanted.area),
                "from": text_of(wanted.begins_at),
                "to": text_of(wanted.ends_at),
                "events": list(wanted.events),
            }
            content = _written(document, key)
            made = read_authorisation(content, key.public_key())
            file = _folder(fleet) / f"{number:06d}.json"
            write_durably(file, content, PRIVATE)
            _hand_out(fleet, wanted.units, {AUTHORISATION_FILE: content, KEY_FILE: public_pem(key.public_key())})
    except OSError as error:
        raise FleetRefused(f"{error.filename or fleet.folder} cannot be written: {error.strerror}") from error
    return made, file


def withdraw(fleet: Fleet, up_to: int, reason: str, key_file: Path | None) -> Path:
    """Makes what takes back every permission up to a number; the file.

    Raises:
        AuthorisationRefused: there was never such a number, or the reason is none.
        KeyRefused, FleetRefused: as `permit`.
    """
    try:
        with fleet.locked():
            key = _key(fleet, key_file)
            if up_to > _last(fleet):
                raise AuthorisationRefused(f"there is no permission {up_to}; the last is {_last(fleet)}")
            document = {"kind": WITHDRAWAL_KIND, "fleet": fleet.plan.fleet, "up_to": up_to, "reason": reason}
            content = _written(document, key)
            read_withdrawal(content, key.public_key())
            file = _folder(fleet) / f"withdrawal-{up_to:06d}.json"
            write_durably(file, content, PRIVATE)
            _hand_out(fleet, [f"{fleet.plan.fleet}/*"], {WITHDRAWAL_FILE: content})
    except OSError as error:
        raise FleetRefused(f"{error.filename or fleet.folder} cannot be written: {error.strerror}") from error
    return file


def _written(document: Mapping[str, Any], key: PrivateKey) -> bytes:
    return json.dumps(signed(document, key), indent=1, ensure_ascii=False).encode() + b"\n"


def _key(fleet: Fleet, file: Path | None) -> PrivateKey:
    own = fleet.folder / KEY
    if file is None and not own.exists():
        key = ed25519.Ed25519PrivateKey.generate()
        write_durably(own, key_pem(key), PRIVATE)
        write_durably(own.with_suffix(".pem"), public_pem(key.public_key()), PRIVATE)
    return private_key(file or own)


def _folder(fleet: Fleet) -> Path:
    folder = fleet.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _last(fleet: Fleet) -> int:
    return max((int(file.stem) for file in _folder(fleet).glob("*.json") if file.stem.isdigit()), default=0)


def _hand_out(fleet: Fleet, units: Sequence[str], files: Mapping[str, bytes]) -> None:
    """Copies for the cards of units that have a folder already."""
    for card in (fleet.folder / "cards").glob("*"):
        if card.is_dir() and not {f"{fleet.plan.fleet}/{card.name}", f"{fleet.plan.fleet}/*"}.isdisjoint(units):
            for name, content in files.items():
                write_durably(card / name, content, PRIVATE)


def beside(folder: Path) -> dict[str, str]:
    """What of a permission lies in a unit's folder below `cards/`, to stand beside its configuration."""
    files = (folder / name for name in (KEY_FILE, AUTHORISATION_FILE, WITHDRAWAL_FILE))
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.exists()}
