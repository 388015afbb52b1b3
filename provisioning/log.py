"""What ronde says while it runs: an event's name in the past tense and its fields, one line each.

On a terminal a line is for a person; elsewhere it is JSON behind a journald priority prefix (`<6>{...}`). Two promises hold for
every line, whoever writes it: coordinates appear at debug alone, and no array, byte string or object is ever spelt out, so
pixels cannot get in. Each event name has a budget of lines; what went over it is counted in a later line (`left_out`).
"""

import json
import logging
import math
import numbers
import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from pathlib import PurePath
from typing import Literal, TextIO

Level = Literal["debug", "info", "warning", "error"]

WINDOW_S = 60.0
MOST_LINES = 10
"""Lines of one event name in `WINDOW_S`."""
MOST_DEBUG_LINES = 600
"""The same at debug, which has a line for every frame."""
MOST_CHARACTERS = 2000
"""A text longer than this is cut."""

COORDINATE_WORDS = frozenset({"latitude", "longitude", "lat", "lon", "lng", "coordinates", "geometry", "geojson"})
"""A field with one of these in its name tells where a car was."""
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog's, as journald reads them from a line's beginning."""
RESERVED = frozenset({"event", "part", "level", "at"})
PLAIN = re.compile(r"[\w./:+@%,<>-]+")
ROOT = "ronde"


class Events:
    """Says what one part of ronde did: `events("capture").info("frame_kept", frame_id=7)`."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{part}")

    def debug(self, event: str, /, **fields: object) -> None:
        """For whoever looks for a fault; the one level at which coordinates are written."""
        self._say(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What went as it should."""
        self._say(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """The world failed and ronde goes on."""
        self._say(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Something is lost or somebody has to come."""
        self._say(logging.ERROR, event, fields)

    def _say(self, level: int, event: str, fields: dict[str, object]) -> None:
        self._logger.log(level, "%s", event, extra={"ronde_fields": fields})


def events(part: str) -> Events:
    """The log of `part` (capture, sync, ...), which stands in every line."""
    return Events(part)


def set_up(level: Level = "info", stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
    """Log to `stream` (stderr where None) from `level` on, and what libraries say from warning on.

    A second call replaces the first. `clock` gives seconds for the budgets of lines.
    """
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(handler)
        handler.close()
    root.addHandler(_Lines(sys.stderr if stream is None else stream, clock))
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())


class _Budget:
    """How many lines of one event name were written and left out since `since_s`."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.written = 0
        self.left_out = 0


class _Lines(logging.Handler):
    """Writes the lines; called under the handler's lock."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream = stream
        self._clock = clock
        self._form = _terminal_line if stream.isatty() else _journal_line
        self._budgets: dict[tuple[str, str], _Budget] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it as left out."""
        try:
            now_s = self._clock()
            self._close_windows(now_s)
            event, fields = _said(record)
            budget = self._budgets.setdefault((record.name, event), _Budget(now_s))
            if budget.written >= (MOST_DEBUG_LINES if record.levelno <= logging.DEBUG else MOST_LINES):
                budget.left_out += 1
                return
            budget.written += 1
            self._write(record.levelno, record.name, event, fields)
        except Exception:  # noqa: BLE001 - as in every handler of logging: a log that cannot be written stops nothing
            self.handleError(record)

    def close(self) -> None:
        """Say what was left out, before the process ends."""
        self.acquire()
        try:
            self._close_windows(math.inf)
        except (OSError, ValueError):
            pass  # the stream is gone: nobody is left to tell
        finally:
            self.release()
        super().close()

    def _close_windows(self, now_s: float) -> None:
        over = [key for key, budget in self._budgets.items() if now_s - budget.since_s >= WINDOW_S]
        for name, event in over:
            left_out = self._budgets.pop((name, event)).left_out
            if left_out:
                self._write(logging.INFO, name, "lines_left_out", {"of": event, "left_out": left_out})

    def _write(self, level: int, name: str, event: str, fields: Mapping[str, object]) -> None:
        self._stream.write(self._form(level, name.removeprefix(f"{ROOT}."), event, _safe(level, fields)) + "\n")
        self._stream.flush()


def _said(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """The event and fields of a record; what a library says of its own accord is one event."""
    fields: dict[str, object] | None = getattr(record, "ronde_fields", None)
    if fields is not None:
        return record.getMessage(), fields
    fields = {"text": record.getMessage()}
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = record.exc_info[1]
    return "library_spoke", fields


def _safe(level: int, fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that may be written at `level`, each as JSON takes it."""
    return {
        f"{key}_" if key in RESERVED else key: _plain(level, value)
        for key, value in fields.items()
        if level <= logging.DEBUG or not _tells_where(key)
    }


def _tells_where(key: str) -> bool:
    return not COORDINATE_WORDS.isdisjoint(key.lower().split("_"))


def _plain(level: int, value: object) -> object:
    """A value as JSON takes it; what is no number, text, time, path, error, list or mapping is written as its type."""
    if isinstance(value, Mapping):
        return _safe(level, {str(key): each for key, each in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(level, each) for each in value]
    if isinstance(value, str | PurePath | BaseException):
        text = str(value)
        return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."
    if isinstance(value, date):
        return value.isoformat()
    return _number(value)


def _number(value: object) -> object:
    """A number, truth or None as JSON takes it, numpy's too; anything else is its type."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return round(float(value), 7) if math.isfinite(value) else str(float(value))
    return f"<{type(value).__name__}>"


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _journal_line(level: int, part: str, event: str, fields: Mapping[str, object]) -> str:
    at = _now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"at": at, "level": logging.getLevelName(level).lower(), "part": part, "event": event}
    return f"<{PRIORITIES.get(level, 6)}>{json.dumps({**head, **fields})}"


def _terminal_line(level: int, part: str, event: str, fields: Mapping[str, object]) -> str:
    head = f"{_now():%H:%M:%S} {part} {event}" if level < logging.WARNING else f"{_now():%H:%M:%S} {part} {event}!"
    return " ".join([head, *(f"{key}={_shown(value)}" for key, value in fields.items())])


def _shown(value: object) -> str:
    """A value on a terminal: bare where it cannot be misread, else as JSON (ASCII, so that no control character gets out)."""
    return value if isinstance(value, str) and PLAIN.fullmatch(value) and value.isprintable() else json.dumps(value)
