"""What a value in an event has to be. It comes from outside, so each check takes anything at all. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

LONGEST_TEXT = 200
LARGEST_WHOLE = 2**53
"""Above it, readers of JSON disagree."""
LARGEST_NUMBER = 1e300

WRITTEN_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)


def moment(text: str) -> str | None:
    """A time with `Z`, in the form with milliseconds, in which later is greater; None where it is none, or on no calendar."""
    found = WRITTEN_TIME.fullmatch(text)
    if found is None:
        return None
    try:
        datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return f"{found[1]}.{(found[2] or '')[:3]:0<3}Z"


def is_number(value: Any) -> bool:
    """A finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def is_count(value: Any) -> bool:
    """A whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_WHOLE


def is_share(value: Any) -> bool:
    """A number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def is_text(value: Any) -> bool:
    """A text of 1 to `LONGEST_TEXT` characters that can be printed."""
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_TEXT and value.isprintable()


def is_printed(value: Any, longest: int) -> bool:
    """A text in which something stands and that can be printed, of at most so many characters: a person wrote it."""
    return isinstance(value, str) and len(value) <= longest and bool(value.strip()) and value.isprintable()


def is_time(value: Any) -> bool:
    """A moment in UTC."""
    return isinstance(value, str) and moment(value) is not None


def is_position(value: Any) -> bool:
    """Longitude and latitude in degrees, in this order; a height may follow."""
    if not isinstance(value, list) or len(value) not in (2, 3) or not all(is_number(each) for each in value):
        return False
    return bool(abs(value[0]) <= 180 and abs(value[1]) <= 90)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value has to be; `named` says it to a person."""

    named: str
    fits: Callable[[Any], bool]


NUMBER: Final = Kind("a number", is_number)
COUNT: Final = Kind("a whole number from 0 on", is_count)
SHARE: Final = Kind("a number from 0 to 1", is_share)
TEXT: Final = Kind(f"a text of 1 to {LONGEST_TEXT} printable characters", is_text)
MOMENT: Final = Kind("a time in UTC", is_time)
