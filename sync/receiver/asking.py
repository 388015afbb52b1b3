"""Pieces of SQL that every question to a receiver's database is made of. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sync.receiver.kinds import moment

LIMIT: Final = 1_000
MOST: Final = 10_000
"""Rows in one answer: how many where nobody says, and how many at most."""
MOST_WORDS: Final = 200
"""Labels or rounds in one question."""

Condition = tuple[str, Sequence[Any]]
"""A piece of SQL with `?` for its values, and these."""


def asked(select: str, where: Sequence[Condition], order: str, limit: int) -> tuple[str, list[Any]]:
    """A whole statement and its values; `limit` is what `most` let pass."""
    conditions = " AND ".join(condition for condition, _ in where) or "1 = 1"
    values = [value for _, some in where for value in some]
    return f"{select} WHERE {conditions} ORDER BY {order} LIMIT ?", [*values, limit]


def most(limit: int, at_most: int = MOST) -> int:
    """How many rows an answer may have.

    Raises:
        ValueError: less than one is asked for.
    """
    if limit < 1:
        raise ValueError(f"limit {limit}: 1 or more")
    return min(limit, at_most)


def one_of(column: str, words: Collection[str]) -> Iterator[Condition]:
    """That a column has one of some words; no condition where there are none.

    Raises:
        ValueError: there are too many.
    """
    if len(words) > MOST_WORDS:
        raise ValueError(f"{len(words)} values of {column}: at most {MOST_WORDS}")
    if words:
        yield f"{column} IN ({', '.join('?' * len(words))})", list(words)


def since_time(column: str, since: str | None) -> Iterator[Condition]:
    """That a moment is not before another; no condition where there is none.

    Raises:
        ValueError: it is no time.
    """
    if since is None:
        return
    time = moment(since)
    if time is None:
        raise ValueError(f"since {since}: a time in UTC such as 2026-03-04T05:06:07Z")
    yield f"{column} >= ?", [time]
