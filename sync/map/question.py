"""What somebody asks of the map: the parameters of a query, read. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sync.receiver.asking import LIMIT, MOST, MOST_WORDS
from sync.receiver.kinds import LONGEST_TEXT, moment
from sync.receiver.seen import JUDGEMENTS, STATES, Box

LARGEST_SEQ: Final = 2**63 - 1
WORDS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({"state": STATES, "judgement": (*JUDGEMENTS, "none")})
"""Parameters that have to be one of these."""
SEVERAL: Final = ("label", "round", *WORDS)
"""Parameters that may stand there several times."""
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DIGITS: Final = re.compile(r"\d{1,19}", re.ASCII)
DEGREES: Final = re.compile(r"[+-]?\d{1,3}(\.\d{1,20})?", re.ASCII)


class BadQuestion(Exception):
    """A parameter is none, or not of its form: one sentence that names it and what is allowed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for; an empty filter leaves all."""

    box: Box | None = None
    labels: tuple[str, ...] = ()
    rounds: tuple[str, ...] = ()
    since: str | None = None
    limit: int = LIMIT
    after: int = 0
    states: tuple[str, ...] = ()
    judgements: tuple[str, ...] = ()


def question(given: Sequence[tuple[str, str]], allowed: Iterable[str]) -> Question:
    """Reads the parameters of a query, each of them one of `allowed`; those of `SEVERAL` may stand there several times.

    Raises:
        BadQuestion: a parameter is none of these, comes twice, or is not of its form.
    """
    names = sorted({*allowed, "token"})
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name not in names:
            shown = ", ".join(each for each in names if each != "token")
            raise BadQuestion(f"there is no parameter {name[:40]!r} here: there is {shown or 'none'}")
        values.setdefault(name, []).append(value)
    for name, several in values.items():
        if len(several) > 1 and name not in SEVERAL:
            raise BadQuestion(f"{name} stands there {len(several)} times: once is enough")
    return Question(
        box=_box(values),
        labels=_words(values, "label"),
        rounds=_words(values, "round"),
        states=_words(values, "state"),
        judgements=_words(values, "judgement"),
        since=_since(values),
        limit=_whole(values, "limit", LIMIT, least=1, most=MOST),
        after=_whole(values, "after", 0, least=0, most=LARGEST_SEQ),
    )


def _box(values: Mapping[str, Sequence[str]]) -> Box | None:
    if "bbox" not in values:
        return None
    parts = values["bbox"][0].split(",")
    if len(parts) != 4 or not all(DEGREES.fullmatch(part) for part in parts):
        raise BadQuestion("bbox is west,south,east,north in degrees, such as 7.00,43.54,7.05,43.57")
    try:
        return Box(*map(float, parts))
    except ValueError:
        raise BadQuestion(
            "bbox is west,south,east,north in degrees: west <= east, south <= north, all on earth; "
            "over the 180th meridian ask twice"
        ) from None


def _words(values: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word for several in values.get(name, ()) for word in several.split(",")))
    if len(words) > MOST_WORDS:
        raise BadQuestion(f"{len(words)} values of {name}: at most {MOST_WORDS}")
    if not all(word.isprintable() and 1 <= len(word) <= LONGEST_TEXT for word in words):
        raise BadQuestion(f"{name} is one name or several between commas, each of 1 to {LONGEST_TEXT} printable characters")
    wrong = [word for word in words if word not in WORDS.get(name, words)]
    if wrong:
        raise BadQuestion(f"{name} is one or several of {', '.join(WORDS[name])}")
    return words


def _since(values: Mapping[str, Sequence[str]]) -> str | None:
    if "since" not in values:
        return None
    text = values["since"][0]
    time = moment(f"{text}T00:00:00Z" if DATE.fullmatch(text) else text)
    if time is None:
        raise BadQuestion("since is a day such as 2026-03-04, or a time in UTC such as 2026-03-04T05:06:07Z")
    return time


def _whole(values: Mapping[str, Sequence[str]], name: str, default: int, *, least: int, most: int) -> int:
    if name not in values:
        return default
    text = values[name][0]
    if not DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise BadQuestion(f"{name} is a whole number from {least} to {most}")
    return int(text)
