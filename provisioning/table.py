"""One table of a TOML file, read key by key: each value is checked where it is taken, and what nobody took is an error."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T", bound=str)


class SettingsError(Exception):
    """The configuration says something that is not allowed: one sentence naming the file, the key and what is allowed."""


class SettingsTorn(SettingsError):
    """The configuration is empty, or no TOML at all: as a power cut leaves it."""


class Table:
    """A TOML table at `place` (dotted, "" for the whole file) of `file`."""

    def __init__(self, file: Path, place: str, values: Mapping[str, Any]) -> None:
        self._file = file
        self._place = place
        self._values = values
        self._taken: set[str] = set()

    def refused(self, key: str, sentence: str) -> SettingsError:
        """The error for `key`; the caller raises it."""
        place = f"[{self._place}] {key}" if self._place else key
        return SettingsError(f"{self._file}: {place} {sentence}")

    def has(self, key: str) -> bool:
        """Whether the file says anything for `key`."""
        return key in self._values

    def done(self) -> None:
        """Refuse a key that nobody took."""
        for key in self._values:
            if key not in self._taken:
                known = ", ".join(sorted(self._taken))
                raise self.refused(key, f"is not known; known here: {known}")

    def table(self, key: str) -> "Table":
        """The table below `key`, empty where the file has none."""
        values = self._take(key, {})
        if not isinstance(values, Mapping):
            raise self.refused(key, "is a table, written as [" + key + "]")
        return Table(self._file, f"{self._place}.{key}" if self._place else key, values)

    def tables(self, key: str) -> list["Table"]:
        """The array of tables `[[key]]`, empty where the file has none."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
            raise self.refused(key, "is a list of tables, each written as [[" + key + "]]")
        return [Table(self._file, f"{key} {number}", value) for number, value in enumerate(values, 1)]

    def text(self, key: str, default: str | None = None, matches: re.Pattern[str] | None = None) -> str:
        """A text; missing is an error where there is no default."""
        value = self._take(key, default)
        if value is None:
            raise self.refused(key, "is missing")
        if not isinstance(value, str) or not value:
            raise self.refused(key, f"is a text, not {value!r}")
        if matches is not None and not matches.fullmatch(value):
            raise self.refused(key, f"is {value!r}; allowed: {matches.pattern}")
        return value

    def texts(self, key: str, matches: re.Pattern[str]) -> tuple[str, ...]:
        """A list of texts, empty where the file has none."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(each, str) and matches.fullmatch(each) for each in values):
            raise self.refused(key, f"is {values!r}; allowed: a list of texts, each {matches.pattern}")
        return tuple(values)

    def path(self, key: str, default: Path | None) -> Any:
        """A path; relative ones start at the configuration's folder."""
        if not self.has(key):
            self._taken.add(key)
            return default
        return self._file.parent / self.text(key)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refused(key, f"is {value!r}; allowed: a whole number from {low} to {high}")
        return value

    def whole_or_none(self, key: str, low: int, high: int) -> int | None:
        """The same; None where the file does not have it."""
        self._taken.add(key)
        return self.whole(key, low, low, high) if self.has(key) else None

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`; nan is none."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.refused(key, f"is {value!r}; allowed: a number from {low:g} to {high:g}")
        return float(value)

    def number_or_none(self, key: str, low: float, high: float) -> float | None:
        """The same; None where the file does not have it."""
        self._taken.add(key)
        return self.number(key, low, low, high) if self.has(key) else None

    def numbers_or_none(self, key: str, count: int, low: float, high: float) -> tuple[float, ...] | None:
        """A list of so many numbers from `low` to `high`; None where the file does not have it."""
        values = self._take(key, None)
        if values is None:
            return None
        fit = isinstance(values, list) and len(values) == count
        if not fit or not all(
            isinstance(each, int | float) and not isinstance(each, bool) and low <= each <= high for each in values
        ):
            raise self.refused(key, f"is {values!r}; allowed: a list of {count} numbers from {low:g} to {high:g}")
        return tuple(float(each) for each in values)

    def choice(self, key: str, allowed: Sequence[T], default: T) -> T:
        """One of the `allowed` words."""
        value = self._take(key, default)
        for word in allowed:
            if value == word:
                return word
        raise self.refused(key, f"is {value!r}; allowed: {', '.join(allowed)}")

    def choices(self, key: str, allowed: Sequence[T], default: tuple[T, ...]) -> tuple[T, ...]:
        """A list of `allowed` words, each once, at least one."""
        value = self._take(key, list(default))
        if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
            raise self.refused(key, f"is {value!r}; allowed: a list of {', '.join(allowed)}, each once")
        words = [word for each in value for word in allowed if word == each]
        if len(words) != len(value):
            raise self.refused(key, f"is {value!r}; allowed: {', '.join(allowed)}")
        return tuple(words)

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        return self._values.get(key, default)
