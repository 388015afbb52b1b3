"""The audit log of a unit: what was allowed, loaded, commanded, erased, paused and handed over. Lines are only ever added.

`audit.jsonl` in the state folder, one JSON object a line. Each line holds the sha256 of the line before it, byte for byte, so a
line that is changed, removed or moved is found (`sync.audit_check`). `audit.head` says how many lines there are and the sha256
of the last, so lines that are cut off at the end are missed; `health` tells the same to the backends, where nobody on the unit
can change it. No line says where the car was, or who anybody is.

A power cut in mid-write leaves a piece of a line. It is not removed: the next line ends it, and says how long it was.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Literal

from device.boot import boot_id, now_s
from device.frame import TimeSource
from provisioning.durable import sync_folder, write_durably
from provisioning.log import COORDINATE_WORDS
from sync.event import compact, iso
from sync.failure import DatabaseFailed, disk_failure
from sync.owner import as_owner

LOG: Final = "audit.jsonl"
HEAD: Final = "audit.head"
NOTHING: Final = "0" * 64
"""What stands for the line before the first."""
MOST_TEXT: Final = 500
TAIL_BYTES: Final = 64 * 1024
"""Longer than any line."""

What = Literal[
    "log_repaired",
    "model_loaded",
    "model_not_loaded",
    "model_unloaded",
    "command_obeyed",
    "command_failed",
    "commands_refused",
    "paused",
    "resumed",
    "erased",
    "photos_exported",
    "evidence_handed_over",
]
"""All that is ever noted."""

Field = str | int | float | bool | None


class AuditNotWritten(DatabaseFailed):
    """The disk did not take a line: what it should tell of must not happen. One sentence."""


@dataclass(frozen=True, slots=True)
class Head:
    """How many lines there are, and the sha256 of the last."""

    lines: int = 0
    sha256: str = NOTHING


class Audit:
    """The log in a state folder. Several processes may add to it; each call takes the file for itself."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def append(self, what: What, about: Mapping[str, Field], *, at: datetime | None = None, clock: TimeSource = "system") -> Head:
        """Adds a line; when this returns, it is durable. `at` is UTC by `clock`, the system's where it is left out.

        Raises:
            AuditNotWritten: the disk does not take it.
        """
        _check(about)
        moment = iso(at or datetime.now(timezone.utc))
        try:
            with as_owner(self._state), self._opened() as log:
                head = self._mended(log, moment, clock)
                return self._add(log, head, _line(head, what, moment, clock, about))
        except OSError as error:
            failure = disk_failure(f"{self._state / LOG} cannot be written", error)
            raise AuditNotWritten(failure.code, str(failure)) from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, ours alone."""
        new = not (self._state / LOG).exists()
        log = os.open(self._state / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(log, fcntl.LOCK_EX)
            if new:
                sync_folder(self._state)
            yield log
        finally:
            os.close(log)

    def _mended(self, log: int, moment: str, clock: TimeSource) -> Head:
        """The head of what is there, after a line about what a power cut or a hand has done to its end."""
        noted, tail = noted_head(self._state), _tail(log)
        if not tail:
            torn, lost, head = None, noted.lines, Head()
        else:
            if not tail.endswith(b"\n"):
                os.write(log, b"\n")
            last = tail.removesuffix(b"\n").rpartition(b"\n")[2]
            number = number_of(last)
            torn = len(last) if number is None else None
            reached = _count(log) if number is None else number
            # A torn line was never confirmed: where the head counts it, what it said is gone.
            lost = max(0, noted.lines - (reached - 1 if number is None else reached))
            head = Head(reached, sha256(last))
        if torn is None and not lost:
            return head
        about = {"torn_bytes": torn or 0, "lines_lost": lost}
        return self._add(log, head, _line(head, "log_repaired", moment, clock, about))

    def _add(self, log: int, head: Head, line: bytes) -> Head:
        if os.write(log, line + b"\n") != len(line) + 1:
            raise OSError(None, "the disk took a part of a line")
        os.fsync(log)
        now = Head(head.lines + 1, sha256(line))
        write_durably(self._state / HEAD, json.dumps(asdict(now)).encode(), 0o640)
        return now


def noted_head(state: Path) -> Head:
    """What `audit.head` says; a head of no lines where there is none, or it is damaged."""
    try:
        document = json.loads((state / HEAD).read_bytes())
        return Head(int(document["lines"]), str(document["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Head()


def told_of_audit(state: Path) -> dict[str, Any]:
    """What health says of the log, nothing before its first line: with it a backend can tell that lines are gone."""
    head = noted_head(state)
    return {"audit": asdict(head)} if head.lines else {}


def number_of(line: bytes) -> int | None:
    """The number of a line; None where it is no whole line of the log."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    number = document.get("n") if isinstance(document, dict) else None
    return number if isinstance(number, int) else None


def sha256(line: bytes) -> str:
    """Of a line without its end."""
    return hashlib.sha256(line).hexdigest()


def _line(head: Head, what: What, moment: str, clock: TimeSource, about: Mapping[str, Field]) -> bytes:
    entry: dict[str, Any] = {
        "n": head.lines + 1,
        "at": moment,
        "clock": clock,
        "boot": boot_id()[:8],
        "boot_s": round(now_s(), 1),
        "what": what,
        "about": dict(about),
        "before": head.sha256,
    }
    return compact(entry)


def _check(about: Mapping[str, Field]) -> None:
    """Bugs: a field that tells where the car was, or what is no short text or number."""
    for name, value in about.items():
        if not COORDINATE_WORDS.isdisjoint(name.lower().split("_")):
            raise ValueError(f"{name} tells where the car was")
        if not isinstance(value, str | int | float | None) or (isinstance(value, str) and len(value) > MOST_TEXT):
            raise ValueError(f"{name} is no short text, number or truth")


def _tail(log: int) -> bytes:
    size = os.fstat(log).st_size
    begin = max(0, size - TAIL_BYTES)
    return os.pread(log, size - begin, begin)


def _count(log: int) -> int:
    """How many lines there are, torn ones too. Only asked after a power cut."""
    lines = offset = 0
    while chunk := os.pread(log, TAIL_BYTES, offset):
        lines += chunk.count(b"\n")
        offset += len(chunk)
    return lines
