"""The tables of things that were joined from the findings of rounds, for both databases: the same columns, other types.

`thing` is one real thing; what begins with `fold` there is what the next visit is judged by (sync/receiver/fate.py).
`thing_history` has a row for each time that a round saw it, had it in view, or passed without a look at it; `n` is the finding's
number, 0 where nothing was found. `judgement` is what people said. `joining` has one row: a number that each join counts up.
"""

from collections.abc import Sequence
from typing import Final

COLUMNS: Final[Sequence[tuple[str, str]]] = (
    ("number", "whole PRIMARY KEY"),
    ("id", "text NOT NULL UNIQUE"),
    ("label", "text NOT NULL"),
    ("state", "text NOT NULL"),
    ("state_at", "moment NOT NULL"),
    ("score", "real"),
    ("latitude_deg", "real NOT NULL"),
    ("longitude_deg", "real NOT NULL"),
    ("uncertainty_m", "real"),
    ("area_m2", "real"),
    ("severity", "whole"),
    ("rounds", "whole NOT NULL"),
    ("missed", "whole NOT NULL"),
    ("first_seen_at", "moment NOT NULL"),
    ("last_seen_at", "moment NOT NULL"),
    ("visited_at", "moment NOT NULL"),
    ("last_seq", "whole"),
    ("judgement", "text"),
    ("judged_at", "moment"),
    ("judged_by", "text"),
    ("note", "text"),
    ("cell", "whole NOT NULL"),
    ("aligned_latitude_deg", "real NOT NULL"),
    ("aligned_longitude_deg", "real NOT NULL"),
    ("seen_from", "whole NOT NULL"),
    ("fold", "json NOT NULL"),
)
"""Of `thing`: name, and its type in the words of `TYPES`."""

HISTORY: Final[Sequence[tuple[str, str]]] = (
    ("thing", "whole NOT NULL REFERENCES thing (number) ON DELETE CASCADE"),
    ("source", "text NOT NULL"),
    ("round_id", "text NOT NULL"),
    ("n", "whole NOT NULL"),
    ("seq", "whole REFERENCES event (seq) ON DELETE CASCADE"),
    ("at", "moment NOT NULL"),
    ("state", "text NOT NULL"),
    ("reason", "text"),
    ("label", "text"),
    ("score", "real"),
    ("latitude_deg", "real"),
    ("longitude_deg", "real"),
    ("uncertainty_m", "real"),
    ("aligned_latitude_deg", "real"),
    ("aligned_longitude_deg", "real"),
    ("heading_deg", "real"),
    ("area_m2", "real"),
    ("severity", "whole"),
    ("miss", "real"),
    ("patch", "text"),
)
"""Of `thing_history`. `miss` is how likely a thing that is there is not found, `patch` the id of the patch where it was."""

JUDGEMENT: Final[Sequence[tuple[str, str]]] = (
    ("thing", "whole NOT NULL REFERENCES thing (number) ON DELETE CASCADE"),
    ("n", "whole NOT NULL"),
    ("judgement", "text"),
    ("by", "text NOT NULL"),
    ("note", "text"),
    ("at", "moment NOT NULL"),
)

SQLITE: Final = {"whole": "INTEGER", "real": "REAL", "text": "TEXT", "moment": "TEXT", "json": "TEXT"}
POSTGRES: Final = {"whole": "bigint", "real": "double precision", "text": "text", "moment": "timestamptz", "json": "text"}

ROUND: Final[Sequence[tuple[str, str]]] = (
    ("heard_at", "moment"),
    ("last_seq", "whole NOT NULL DEFAULT 0"),
    ("joined_seq", "whole NOT NULL DEFAULT 0"),
    ("joined_at", "moment"),
)
"""What `round` has besides: when its last event arrived and which that was, up to which one it was joined and when."""

FILL_ROUND: Final = (
    "UPDATE round SET "
    "last_seq = (SELECT coalesce(max(seq), 0) FROM (SELECT max(f.seq) AS seq FROM finding f WHERE f.source = round.source AND "
    "f.round_id = round.round_id UNION ALL SELECT max(t.seq) FROM track t WHERE t.source = round.source AND "
    "t.round_id = round.round_id) AS told), heard_at = round.ended_at"
)
"""Rounds that were stored before: all of them are to be joined."""

INDEXES: Final = (
    "CREATE INDEX thing_by_cell ON thing (cell)",
    "CREATE INDEX thing_history_by_round ON thing_history (round_id, source)",
    "CREATE INDEX thing_history_by_event ON thing_history (seq) WHERE seq IS NOT NULL",
    "CREATE INDEX finding_by_round ON finding (round_id, source)",
    "CREATE INDEX track_by_round ON track (round_id, source)",
    "CREATE INDEX grade_by_round ON grade (round_id, source)",
)


def sqlite_statements() -> Sequence[str]:
    """What makes the tables in a SQLite file."""
    return (
        *(f"ALTER TABLE round ADD COLUMN {name} {_type(kind, SQLITE)}" for name, kind in ROUND),
        f"CREATE TABLE thing ({_columns(COLUMNS, SQLITE)})",
        f"CREATE TABLE thing_history ({_columns(HISTORY, SQLITE)}, PRIMARY KEY (thing, source, round_id, n)) WITHOUT ROWID",
        f"CREATE TABLE judgement ({_columns(JUDGEMENT, SQLITE)}, PRIMARY KEY (thing, n)) WITHOUT ROWID",
        *SHARED,
        "CREATE INDEX thing_by_place ON thing (latitude_deg, longitude_deg)",
    )


def postgres_statements() -> Sequence[str]:
    """What makes the tables in PostgreSQL with PostGIS."""
    place = "place geometry(Point, 4326) GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude_deg, latitude_deg), 4326)) STORED"
    return (
        *(f"ALTER TABLE round ADD COLUMN {name} {_type(kind, POSTGRES)}" for name, kind in ROUND),
        f"CREATE TABLE thing ({_columns(COLUMNS, POSTGRES)}, {place})",
        f"CREATE TABLE thing_history ({_columns(HISTORY, POSTGRES)}, PRIMARY KEY (thing, source, round_id, n))",
        f"CREATE TABLE judgement ({_columns(JUDGEMENT, POSTGRES)}, PRIMARY KEY (thing, n))",
        *SHARED,
        "CREATE INDEX thing_by_place ON thing USING gist (place)",
    )


SHARED: Final = (
    "CREATE TABLE joining (version bigint NOT NULL)",
    "INSERT INTO joining (version) VALUES (0)",
    "CREATE INDEX round_unjoined ON round (heard_at) WHERE last_seq > joined_seq",
    *INDEXES,
    FILL_ROUND,
)


def _columns(columns: Sequence[tuple[str, str]], types: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {_type(kind, types)}' for name, kind in columns)


def _type(kind: str, types: dict[str, str]) -> str:
    word, _, rest = kind.partition(" ")
    return f"{types[word]} {rest}".strip()
