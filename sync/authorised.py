"""Whether the safety profile is allowed now and here: the signed permission on the unit, held against clock and place.

Nothing is assumed. Where the file, the key, the time or the place is missing or in doubt, the answer is no, with the reason.
The highest number that was ever accepted or withdrawn is kept beside the database, outlives `ronde erase`, and no lower one is
accepted again.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

from device.frame import TimeSource
from provisioning.authorisation import (
    AUTHORISATION_FILE,
    KEY_FILE,
    MOST_BYTES,
    WITHDRAWAL_FILE,
    Authorisation,
    AuthorisationRefused,
    read_authorisation,
    read_withdrawal,
)
from provisioning.durable import write_durably
from provisioning.settings import Unit
from provisioning.signed import KeyRefused, public_key

Paper = TypeVar("Paper")

FLOOR_FILE: Final = "authorised.json"
"""In the state folder: the highest number of a permission that was accepted or withdrawn."""

Code = Literal[
    "missing",
    "no_key",
    "forged",
    "other_unit",
    "replayed",
    "withdrawn",
    "clock_unset",
    "not_yet",
    "expired",
    "no_place",
    "outside",
    "unknown_floor",
    "not_noted",
]
"""Why not. `forged` stands for all that is wrong with the file itself."""


class Somewhere(Protocol):
    """A place with the radius that holds 95 %: a `Fix`, or the `Place` of a frame."""

    @property
    def latitude_deg(self) -> float:
        """Degrees north."""
        ...

    @property
    def longitude_deg(self) -> float:
        """Degrees east."""
        ...

    @property
    def accuracy_m(self) -> float:
        """Metres."""
        ...


@dataclass(frozen=True, slots=True)
class Allowed:
    """It is allowed, by this permission."""

    authorisation: Authorisation


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not: a code, and a sentence for a person. Neither says where the car is."""

    code: Code
    reason: str


Answer = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Floor:
    """The highest number so far, and the sha256 of the permission that has it; None where it was withdrawn."""

    number: int = 0
    sha256: str | None = None


class Gate:
    """Asks the files at each call whether they have changed, so that what is taken away is gone at once.

    `folder` holds permission, withdrawal and key (beside the configuration). Without `notes` it keeps no number: it only looks.
    """

    def __init__(self, unit: Unit, folder: Path, *, notes: bool = True) -> None:
        self._unit = unit
        self._notes = notes
        self._folder = folder
        self._floor_file = unit.state / FLOOR_FILE
        self._seen: tuple[object, ...] | None = None
        self._standing: Answer = Refused("missing", "nothing was read yet")

    def allowed(self, place: Somewhere | None, utc: datetime | None, time_source: TimeSource) -> Answer:
        """Whether the safety profile may look at what is seen from `place` at `utc`."""
        standing = self.standing()
        if isinstance(standing, Refused):
            return standing
        return _now_and_here(standing.authorisation, place, utc, time_source)

    def standing(self) -> Answer:
        """Whether there is a permission for this unit at all, whatever the time and the place."""
        seen = tuple(_stamp(self._folder / name) for name in (AUTHORISATION_FILE, WITHDRAWAL_FILE, KEY_FILE))
        seen += (_stamp(self._floor_file),)
        if seen != self._seen:
            self._standing = self._read()
            # Reading may have raised the floor: what counts is what the files are now, unless one changed under our hands.
            self._seen = (*seen[:3], _stamp(self._floor_file))
        if isinstance(self._standing, Refused) and self._standing.code == "not_noted":
            self._seen = None  # the disk may take it later
        return self._standing

    def _read(self) -> Answer:
        file = self._folder / AUTHORISATION_FILE
        try:
            key = public_key(self._folder / KEY_FILE)
            floor = _floor(self._floor_file)
            floor = self._withdraw(floor)
            return self._judge(_named(file, lambda: read_authorisation(_content(file), key)), floor)
        except FileNotFoundError:
            return Refused("missing", f"there is no {file}")
        except KeyRefused as error:
            return Refused("no_key", f"nobody is trusted to permit it: {error}")
        except _FloorFailed as error:
            return Refused(error.code, str(error))
        except AuthorisationRefused as error:
            return Refused("forged", str(error))
        except OSError as error:
            return Refused("missing", f"{error.filename} cannot be read: {error.strerror}")

    def _withdraw(self, floor: Floor) -> Floor:
        """The floor, raised by what was withdrawn. A withdrawal that is forged takes nothing back, and stops everything."""
        try:
            content = _content(self._folder / WITHDRAWAL_FILE)
        except FileNotFoundError:
            return floor
        key = public_key(self._folder / KEY_FILE)
        withdrawal = _named(self._folder / WITHDRAWAL_FILE, lambda: read_withdrawal(content, key))
        if withdrawal.fleet != self._unit.fleet or withdrawal.up_to < floor.number:
            return floor
        if floor.number == withdrawal.up_to and floor.sha256 is None:
            return floor
        raised = Floor(withdrawal.up_to, None)
        self._keep(raised)
        return raised

    def _judge(self, authorisation: Authorisation, floor: Floor) -> Answer:
        number = authorisation.number
        if not authorisation.is_for(self._unit.fleet, self._unit.name):
            return Refused("other_unit", f"permission {number} is for other units than {self._unit.fleet}/{self._unit.name}")
        if number == floor.number and floor.sha256 is None:
            return Refused("withdrawn", f"permission {number} was withdrawn")
        if number < floor.number:
            return Refused("replayed", f"permission {number} is older than {floor.number}, which was here before")
        if number == floor.number and floor.sha256 != authorisation.sha256:
            return Refused("replayed", f"another permission had the number {number} before")
        if number > floor.number:
            self._keep(Floor(number, authorisation.sha256))
        return Allowed(authorisation)

    def _keep(self, floor: Floor) -> None:
        if not self._notes:
            return
        try:
            write_durably(self._floor_file, json.dumps(asdict(floor)).encode())
        except OSError as error:
            raise _FloorFailed("not_noted", f"{self._floor_file} cannot be written: {error.strerror or error}") from error


def _now_and_here(permission: Authorisation, place: Somewhere | None, utc: datetime | None, time_source: TimeSource) -> Answer:
    if time_source != "gnss" or utc is None:
        return Refused("clock_unset", "the satellites have not said yet what time it is")
    if utc < permission.begins_at:
        return Refused("not_yet", f"permission {permission.number} begins on {permission.begins_at:%Y-%m-%d at %H:%M} UTC")
    if utc >= permission.ends_at:
        return Refused("expired", f"permission {permission.number} ended on {permission.ends_at:%Y-%m-%d at %H:%M} UTC")
    if place is None:
        return Refused("no_place", "it is not known where the car is")
    if not permission.area.holds(place.latitude_deg, place.longitude_deg, place.accuracy_m):
        return Refused("outside", f"the car is not for certain inside the area of permission {permission.number}")
    return Allowed(permission)


class _FloorFailed(Exception):
    """The highest number so far cannot be read or written: one sentence."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code


def _floor(file: Path) -> Floor:
    damaged = _FloorFailed("unknown_floor", f"{file} is damaged: whether this permission was withdrawn is not known")
    try:
        floor = Floor(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return Floor()
    except (OSError, ValueError, TypeError) as error:
        raise damaged from error
    if not isinstance(floor.number, int) or not isinstance(floor.sha256, str | None):
        raise damaged
    return floor


def _named(file: Path, read: Callable[[], Paper]) -> Paper:
    """What is read of a file; why it is refused, with the file's name."""
    try:
        return read()
    except AuthorisationRefused as error:
        raise AuthorisationRefused(f"{file}: {error}") from error


def _content(file: Path) -> bytes:
    """At most one byte more than is allowed, so that a file without end is refused and not read."""
    with file.open("rb") as opened:
        return opened.read(MOST_BYTES + 1)


def _stamp(file: Path) -> tuple[int, ...] | None:
    """What changes when a file does."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
