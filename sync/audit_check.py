"""Whether an audit log is what was written: every line whole, in its place, and none missing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sync.audit import LOG, NOTHING, Head, noted_head, sha256

MOST_SHOWN: Final = 20
"""Of what is wrong; how much more there is is said."""

Entry = dict[str, Any]


class AuditRefused(Exception):
    """There is no audit log to look at: one sentence."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A log and what is wrong with it. `mended` counts the lines that a power cut tore and the next line told of.

    `torn_bytes` are a piece of a line at its end: the power went, and no line was added since.
    """

    entries: tuple[Entry, ...]
    head: Head
    wrong: tuple[str, ...]
    mended: int
    torn_bytes: int

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            **asdict(self.head),
            "in_order": not self.wrong,
            "wrong": list(self.wrong),
            "mended": self.mended,
            "torn_bytes": self.torn_bytes,
            "entries": list(self.entries),
        }

    def verdict(self) -> str:
        """For a person: what `--check` prints."""
        torn = f"\n{self.torn_bytes} bytes at the end are a piece of a line: the power went." if self.torn_bytes else ""
        mended = f"\n{self.mended} of them torn by a power cut, which the next line tells." if self.mended else ""
        if not self.wrong:
            return f"{self.head.lines} lines, each in its place.{mended}{torn}\nlast line: {self.head.lines}:{self.head.sha256}"
        more = len(self.wrong) - MOST_SHOWN
        shown = "\n".join(f"- {each}" for each in self.wrong[:MOST_SHOWN])
        return f"{self.head.lines} lines, and they are not what was written:\n{shown}" + (
            f"\nand {more} more" if more > 0 else ""
        )

    def in_words(self) -> str:
        """For a person: a line each."""
        return "\n".join(map(_in_words, self.entries))


def examine(state: Path, told: Head | None = None) -> Examined:
    """Looks at every line of the log in a state folder; `told` is what a backend was told of it once.

    Raises:
        AuditRefused: there is none, or it cannot be read.
    """
    try:
        content = (state / LOG).read_bytes()
    except FileNotFoundError:
        raise AuditRefused(f"{state} holds no {LOG}: nothing was noted yet, or it was removed") from None
    except OSError as error:
        raise AuditRefused(f"{state / LOG} cannot be read: {error.strerror}") from error
    *lines, torn = content.split(b"\n")
    read = [_entry(line) for line in lines]
    wrong = [*_chain(lines, read), *_against(lines, noted_head(state), "audit.head")]
    unsaid = len(lines) - noted_head(state).lines
    if unsaid > 1:
        wrong.append(f"audit.head knows nothing of the last {unsaid} lines: a hand has added them, or has changed audit.head")
    if told is not None:
        wrong += _against(lines, told, "what was told once")
    head = Head(len(lines), sha256(lines[-1]) if lines else NOTHING)
    whole = tuple(each for each in read if each is not None)
    return Examined(whole, head, tuple(wrong), len(read) - len(whole), len(torn))


def _chain(lines: Sequence[bytes], read: Sequence[Entry | None]) -> list[str]:
    wrong = []
    before = NOTHING
    for number, (line, entry) in enumerate(zip(lines, read, strict=True), 1):
        if entry is None:
            following = read[number] if number < len(read) else None
            if not _tells_of(following, len(line)):
                wrong.append(f"line {number} is no line of the log")
        else:
            if entry.get("n") != number:
                wrong.append(f"line {number} was line {entry.get('n')}")
            if entry.get("before") != before:
                wrong.append(f"line {number} does not follow {f'line {number - 1}' if number > 1 else 'nothing'} as it is now")
            lost = _repair(entry, "lines_lost")
            if lost:
                wrong.append(f"{lost} lines that had been written were gone when line {number} was added")
        before = sha256(line)
    return wrong


def _tells_of(entry: Entry | None, size: int) -> bool:
    """Whether a line says that the one before it is a piece of so many bytes."""
    return entry is not None and size > 0 and _repair(entry, "torn_bytes") == size


def _repair(entry: Entry, name: str) -> int:
    about = entry.get("about")
    value = about.get(name) if entry.get("what") == "log_repaired" and isinstance(about, dict) else 0
    return value if isinstance(value, int) else 0


def _against(lines: Sequence[bytes], head: Head, by: str) -> list[str]:
    if head.lines > len(lines):
        return [f"there were {head.lines} lines by {by}, and there are {len(lines)}"]
    if head.lines and sha256(lines[head.lines - 1]) != head.sha256:
        return [f"line {head.lines} is another than by {by}"]
    return []


def _entry(line: bytes) -> Entry | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("n"), int) else None


def _in_words(entry: Entry) -> str:
    about = entry.get("about")
    fields = about.items() if isinstance(about, dict) else ()
    told = "  ".join(f"{name}={_shown(value)}" for name, value in fields)
    clock = "" if entry.get("clock") == "gnss" else f" ({entry.get('clock')} clock)"
    return f"{entry['n']:>6}  {entry.get('at')}{clock}  {entry.get('what')}  {told}".rstrip()


def _shown(value: object) -> str:
    """A text in quotes, as it is where a terminal can show it."""
    return json.dumps(value, ensure_ascii=not value.isprintable()) if isinstance(value, str) else str(value)
