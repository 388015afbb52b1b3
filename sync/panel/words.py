"""What the panel says, in the driver's language. All of it stands in `static/words.json`."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
LANGUAGES: Final = ("fr", "en")
"""The first one where a browser asks for neither."""


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """Each language's words by their key."""
    words: Mapping[str, Mapping[str, str]] = json.loads((STATIC / "words.json").read_text(encoding="utf-8"))
    return words


def language(accepted: str, chosen: str | None = None) -> str:
    """The language of a page: the one that was chosen, else what the browser likes best (`Accept-Language`)."""
    if chosen in LANGUAGES:
        return str(chosen)
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in LANGUAGES and (worth := _worth(weight)) > 0.0:
            ranked.append((-worth, place, name))
    return min(ranked)[2] if ranked else LANGUAGES[0]


def _worth(weight: str) -> float:
    _, _, number = weight.strip().partition("=")
    try:
        return float(number) if number else 1.0
    except ValueError:
        return 0.0


def reason_words(code: str, words: Mapping[str, str]) -> str:
    """A reason for a driver; one that is not known by its code."""
    return words.get(f"reason_{code}") or words["unknown_reason"].format(code=code)


def ago(seconds: float | None, words: Mapping[str, str]) -> str:
    """How long ago something was."""
    if seconds is None:
        return words["never"]
    minutes = max(0, int(seconds // 60))
    if minutes < 1:
        return words["now"]
    if minutes < 60:
        return words["minutes"].format(n=minutes)
    hours = minutes // 60
    return words["hours"].format(n=hours) if hours < 48 else words["days"].format(n=hours // 24)


def number(value: float | None, words: Mapping[str, str], decimals: int = 0) -> str:
    """A number as the language writes it."""
    if value is None:
        return words["unknown"]
    text = f"{value:,.{decimals}f}"
    if words["lang_name"] == "Français":
        return text.replace(",", "\N{NARROW NO-BREAK SPACE}").replace(".", ",")
    return text
