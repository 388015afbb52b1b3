"""The signed permission without which no safety model is loaded: who gave it, by which law, for whom, where, when, for what.

The events are the eight of the French decree n° 2023-828, article 3, by name. A car looks for one of them, outbreak of fire. The
others concern persons or what they carry, or need a view that a passing car does not have: a permission that names one is
refused as a whole, since it was given for something that ronde does not do.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from provisioning.area import Area, AreaRefused, area_of
from provisioning.signed import Document, PublicKey, SignatureRefused, verified

KIND: Final = "ronde.authorisation.v1"
WITHDRAWAL_KIND: Final = "ronde.withdrawal.v1"

FOLDER: Final = Path("/etc/ronde")
AUTHORISATION_FILE: Final = "authorisation.json"
WITHDRAWAL_FILE: Final = "withdrawal.json"
KEY_FILE: Final = "town.pem"
"""All three lie beside the configuration: the permission, what takes it back, and the public key of whoever may give it."""

MOST_BYTES: Final = 256 * 1024
MOST_UNITS: Final = 1000
MOST_TEXT: Final = 300
MOST_NUMBER: Final = 2**53 - 1
LONGEST: Final = timedelta(days=366)
"""A car that is away hears of no withdrawal: a permission for ever could not be taken back."""

OF_PERSONS: Final = "it is about persons, and a car reports things, never people"
FIRE: Final = "outbreak_of_fire"
EVENTS: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "abandoned_objects": "whether an object is abandoned depends on who left it; a car that passes does not see that",
        "weapons": OF_PERSONS,
        "wrong_way": "it is about a person or a vehicle, and ronde reports neither",
        "forbidden_zone": "it is about a person or a vehicle, and ronde reports neither",
        "person_on_the_ground": OF_PERSONS,
        "crowd_movement": OF_PERSONS,
        "crowd_density": OF_PERSONS,
        FIRE: None,
    }
)
"""The decree's events in its order, each with the reason why ronde does not look for it; None where it does."""

MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
UNIT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}/([a-z0-9][a-z0-9-]{0,30}|\*)")
FIELDS: Final = ("kind", "number", "authority", "legal_reference", "units", "area", "from", "to", "events")
WITHDRAWAL_FIELDS: Final = ("kind", "fleet", "up_to", "reason")


class AuthorisationRefused(Exception):
    """A permission, or a withdrawal, is not what it has to be: one sentence."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A permission whose signature is in order.

    `units` are `fleet/unit`, or `fleet/*` for a whole fleet. It holds from `begins_at` until, and not including, `ends_at`.
    `sha256` is of the file.
    """

    number: int
    authority: str
    legal_reference: str
    units: tuple[str, ...]
    area: Area
    begins_at: datetime
    ends_at: datetime
    events: tuple[str, ...]
    sha256: str

    def is_for(self, fleet: str, unit: str) -> bool:
        """Whether the unit is among those that it names."""
        return f"{fleet}/{unit}" in self.units or f"{fleet}/*" in self.units


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What takes back every permission of a fleet whose number is `up_to` or lower, for good."""

    fleet: str
    up_to: int
    reason: str


def read_authorisation(content: bytes, key: PublicKey) -> Authorisation:
    """The permission in the file `content`, signed by `key`.

    Raises:
        AuthorisationRefused: it is forged, damaged, or permits what nobody can permit.
    """
    document = _read(content, key, KIND, FIELDS)
    begins_at, ends_at = _moment(document, "from"), _moment(document, "to")
    if not timedelta(0) < ends_at - begins_at <= LONGEST:
        raise AuthorisationRefused(f"it has to end after it begins, and within {LONGEST.days} days")
    return Authorisation(
        number=_number(document, "number"),
        authority=_text(document, "authority"),
        legal_reference=_text(document, "legal_reference"),
        units=_units(document["units"]),
        area=_area(document["area"]),
        begins_at=begins_at,
        ends_at=ends_at,
        events=checked_events(document["events"]),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def read_withdrawal(content: bytes, key: PublicKey) -> Withdrawal:
    """The withdrawal in the file `content`, signed by `key`.

    Raises:
        AuthorisationRefused: it is forged or damaged.
    """
    document = _read(content, key, WITHDRAWAL_KIND, WITHDRAWAL_FIELDS)
    return Withdrawal(_text(document, "fleet"), _number(document, "up_to"), _text(document, "reason"))


def checked_events(value: object) -> tuple[str, ...]:
    """The events of a permission, each of which ronde looks for.

    Raises:
        AuthorisationRefused: one is not on the list, or on it with the reason why ronde does not look for it.
    """
    if not isinstance(value, list) or not value or len(value) > len(EVENTS) or not all(isinstance(each, str) for each in value):
        raise AuthorisationRefused(f"events is no list of {', '.join(EVENTS)}")
    for each in value:
        if each not in EVENTS:
            raise AuthorisationRefused(f"{each[:60]!r} is no event; there are {', '.join(EVENTS)}")
        if (reason := EVENTS[each]) is not None:
            raise AuthorisationRefused(f"{each} is not looked for: {reason}")
    return tuple(dict.fromkeys(value))


def text_of(moment: datetime) -> str:
    """A moment as it stands in a signed document: ISO 8601, UTC, milliseconds, Z."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: object) -> datetime | None:
    """The moment that `text_of` writes; None where it is something else."""
    if not isinstance(text, str) or not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.removesuffix("Z") + "+00:00")
    except ValueError:
        return None


def _read(content: bytes, key: PublicKey, kind: str, fields: Sequence[str]) -> Document:
    try:
        document = verified(content, key, MOST_BYTES)
    except SignatureRefused as error:
        raise AuthorisationRefused(str(error)) from error
    if document.get("kind") != kind:
        raise AuthorisationRefused(f"it is no {kind}")
    if set(document) != set(fields):
        raise AuthorisationRefused(f"it has to hold {', '.join(fields)} and nothing else")
    return document


def _moment(document: Mapping[str, Any], name: str) -> datetime:
    moment = moment_of(document[name])
    if moment is None:
        raise AuthorisationRefused(f"{name} is no time like 2026-05-12T00:00:00.000Z")
    return moment


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_NUMBER:
        raise AuthorisationRefused(f"{name} is no whole number from 1 on")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT or not value.isprintable():
        raise AuthorisationRefused(f"{name} is no text of 1 to {MOST_TEXT} characters")
    return value


def _units(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_UNITS:
        raise AuthorisationRefused(f"units is no list of 1 to {MOST_UNITS} units")
    if not all(isinstance(each, str) and UNIT.fullmatch(each) for each in value):
        raise AuthorisationRefused("units holds something that is neither FLEET/UNIT nor FLEET/*")
    return tuple(value)


def _area(value: object) -> Area:
    try:
        return area_of(value)
    except AreaRefused as error:
        raise AuthorisationRefused(f"area {error}") from error
