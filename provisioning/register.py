"""What a fleet knows of each unit: its token, and every certificate it was given. One file a unit, replaced as a whole.

Since all of it is one file, a token is burnt in the very moment in which its certificate is kept: whenever the power goes, both
have happened or neither.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from provisioning.durable import write_durably

PRIVATE: Final = 0o600


class RegisterTorn(Exception):
    """The file of a unit cannot be read: one sentence."""


@dataclass(frozen=True, slots=True)
class Token:
    """A one-time token as the fleet keeps it: its hash. `key` is the print of the key that burnt it, at `burnt_at`."""

    sha256: str
    expires_at: str
    burnt_at: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was given out. `serial` is in hex digits; `key` is the print of its key."""

    serial: str
    key: str
    issued_at: str
    expires_at: str
    pem: str
    revoked_at: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One unit. `issued` is in order of time. `access_point` is the password of the unit's own Wi-Fi."""

    unit: str
    made_at: str
    access_point: str
    token: Token | None = None
    issued: tuple[Issued, ...] = ()

    @property
    def current(self) -> Issued | None:
        """The newest certificate that is not revoked."""
        return next((each for each in reversed(self.issued) if each.revoked_at is None), None)

    def with_revoked(self, now: datetime, reason: str) -> "Record":
        """The same, with every certificate revoked that was not."""
        revoked = (each if each.revoked_at else replace(each, revoked_at=text_of(now), reason=reason) for each in self.issued)
        return replace(self, issued=tuple(revoked))


def text_of(moment: datetime) -> str:
    """ISO 8601, UTC, in seconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def moment_of(text: str) -> datetime:
    """The moment that `text_of` wrote."""
    return datetime.fromisoformat(text.removesuffix("Z") + "+00:00")


class Register:
    """The records below one folder, one file a unit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> Record | None:
        """The record of a unit, by its name within the fleet; None where there is none.

        Raises:
            RegisterTorn: its file is damaged.
        """
        file = self._folder / f"{name}.json"
        try:
            return _record(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
            raise RegisterTorn(f"{file} is damaged ({error}); take it from a copy of the fleet's folder") from error

    def put(self, name: str, record: Record) -> None:
        """Keeps a record: when this returns, it is durable."""
        write_durably(self._folder / f"{name}.json", json.dumps(asdict(record), indent=1).encode() + b"\n", PRIVATE)

    def names(self) -> list[str]:
        """The units that have a record."""
        return sorted(file.stem for file in self._folder.glob("*.json") if not file.name.startswith("."))

    def all(self) -> Iterable[Record]:
        """Every record, by name."""
        for name in self.names():
            record = self.get(name)
            if record is not None:
                yield record


def _record(document: dict[str, Any]) -> Record:
    token, issued = document.pop("token"), document.pop("issued")
    return Record(**document, token=Token(**token) if token else None, issued=tuple(Issued(**each) for each in issued))
