"""What a backend may ask of a unit: a closed list, signed, addressed, numbered, and good for a while. Pure: nothing is done here.

A command comes from outside, through a broker that may be anybody's. What is not exactly what it has to be is refused, with a
reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from provisioning.authorisation import moment_of, text_of
from provisioning.settings import Unit
from provisioning.signed import Document, PrivateKey, PublicKey, SignatureRefused, signed, verified

Do = Literal["pause", "resume", "send_evidence", "renew_certificate", "restart_sync", "erase"]
DOES: Final[tuple[Do, ...]] = get_args(Do)

Reason = Literal["no_key", "unsigned", "malformed", "other_unit", "replayed", "clock_unset", "expired", "too_far", "crowded"]
"""Why a command is refused, as health counts it."""

MOST_BYTES: Final = 4096
MOST_SEQUENCE: Final = 10**12
LONGEST: Final = timedelta(days=31)
"""How far ahead `expires_at` may lie: a command that stays good for longer is one that somebody has lost sight of."""

FIELDS: Final = frozenset({"unit", "sequence", "expires_at", "do", "args"})
FINDING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
ARGS: Final[Mapping[Do, Mapping[str, re.Pattern[str]]]] = MappingProxyType({"send_evidence": {"finding_id": FINDING}})
"""What goes with a command; the others take nothing."""


class CommandRefused(Exception):
    """It is not obeyed: `reason` is a code of health, the message one sentence."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Command:
    """One command whose signature is in order."""

    unit: str
    sequence: int
    expires_at: datetime
    do: Do
    args: Mapping[str, str]


def read_command(payload: bytes, key: PublicKey) -> Command:
    """The command in a message, signed by `key`.

    Raises:
        CommandRefused: it is not signed by it, or not exactly a command.
    """
    try:
        document = verified(payload, key, MOST_BYTES)
    except SignatureRefused as error:
        raise CommandRefused("unsigned", str(error)) from error
    try:
        return _command(document)
    except ValueError as error:
        raise CommandRefused("malformed", str(error)) from error


def check(command: Command, unit: Unit, last: int, now: datetime | None) -> None:
    """Whether a command is for this unit, new, and still good. `last` is the highest number so far, `now` UTC that is trusted.

    Raises:
        CommandRefused: it is not, or it cannot be known.
    """
    own = f"{unit.fleet}/{unit.name}"
    if command.unit != own:
        raise CommandRefused("other_unit", f"it is for {command.unit[:70]!r}, and this is {own}")
    if command.sequence <= last:
        raise CommandRefused("replayed", f"its number is {command.sequence}, and {last} was here before")
    if now is None:
        raise CommandRefused("clock_unset", "the satellites have not said yet what time it is")
    if now >= command.expires_at:
        raise CommandRefused("expired", f"it was good until {text_of(command.expires_at)}")
    if command.expires_at - now > LONGEST:
        raise CommandRefused("too_far", f"it would be good for more than {LONGEST.days} days")


def write_command(command: Command, key: PrivateKey) -> Document:
    """The message that asks for it.

    Raises:
        ValueError: it is no command that a unit would read.
    """
    document = {
        "unit": command.unit,
        "sequence": command.sequence,
        "expires_at": text_of(command.expires_at),
        "do": command.do,
        "args": dict(command.args),
    }
    _command(document)
    return signed(document, key)


def _command(document: Mapping[str, Any]) -> Command:
    """Raises `ValueError` with a sentence."""
    if set(document) != FIELDS:
        raise ValueError(f"a command holds {', '.join(sorted(FIELDS))} and nothing else")
    unit, sequence, expires_at = document["unit"], document["sequence"], moment_of(document["expires_at"])
    if not isinstance(unit, str):
        raise ValueError("unit is no text")  # noqa: TRY004 - what comes from outside is wrong, not our code
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 1 <= sequence <= MOST_SEQUENCE:
        raise ValueError(f"sequence is no whole number from 1 to {MOST_SEQUENCE}")
    if expires_at is None:
        raise ValueError("expires_at is no time like 2026-05-12T00:00:00.000Z")
    do = next((each for each in DOES if each == document["do"]), None)
    if do is None:
        raise ValueError(f"do is none of {', '.join(DOES)}")
    return Command(unit, sequence, expires_at, do, _args(do, document["args"]))


def _args(do: Do, value: object) -> Mapping[str, str]:
    wanted = ARGS.get(do, {})
    if not isinstance(value, dict) or set(value) != set(wanted):
        raise ValueError(f"args of {do} are {', '.join(wanted) or 'none'}")
    for name, pattern in wanted.items():
        if not isinstance(value[name], str) or not pattern.fullmatch(value[name]):
            raise ValueError(f"args.{name} is not what it has to be")
    return MappingProxyType(dict(value))
