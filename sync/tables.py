"""The tables of `ronde.db`, as the steps that made them: each is applied once, in one transaction with its record."""

from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

MIGRATIONS: Final = Migrations("ronde")


@MIGRATIONS()
def m001_rounds(db: Database) -> None:
    """Rounds and what was seen in them."""
    _run(
        db,
        """
        CREATE TABLE round (
            id TEXT PRIMARY KEY, started_at TEXT, ended_at TEXT, software TEXT NOT NULL, models TEXT NOT NULL,
            settings TEXT NOT NULL
        )""",
        """
        CREATE TABLE frame (
            id TEXT PRIMARY KEY, round_id TEXT NOT NULL REFERENCES round (id), taken_at TEXT,
            time_source TEXT NOT NULL CHECK (time_source IN ('gnss', 'system', 'unset')),
            latitude_deg REAL CHECK (latitude_deg BETWEEN -90 AND 90),
            longitude_deg REAL CHECK (longitude_deg BETWEEN -180 AND 180),
            accuracy_m REAL, heading_deg REAL, speed_mps REAL, odometer_m REAL NOT NULL,
            position_source TEXT NOT NULL CHECK (position_source IN ('between_fixes', 'ahead_of_fix', 'filled')),
            source TEXT, file TEXT, sha256 TEXT, hidden INTEGER NOT NULL, shutter_boot_s REAL
        )""",
        "CREATE INDEX frame_by_round ON frame (round_id, odometer_m)",
        """
        CREATE TABLE detection (
            frame_id TEXT NOT NULL REFERENCES frame (id) ON DELETE CASCADE, label TEXT NOT NULL,
            score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
            "left" REAL NOT NULL, "top" REAL NOT NULL, "right" REAL NOT NULL, "bottom" REAL NOT NULL
        )""",
        "CREATE INDEX detection_by_frame ON detection (frame_id)",
        # best_frame_id is no foreign key: findings outlive photos.
        """
        CREATE TABLE finding (
            id TEXT PRIMARY KEY, round_id TEXT NOT NULL REFERENCES round (id), label TEXT NOT NULL,
            score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
            latitude_deg REAL NOT NULL CHECK (latitude_deg BETWEEN -90 AND 90),
            longitude_deg REAL NOT NULL CHECK (longitude_deg BETWEEN -180 AND 180),
            uncertainty_m REAL NOT NULL, frames INTEGER NOT NULL, best_frame_id TEXT NOT NULL, seen_at TEXT,
            area_m2 REAL, severity INTEGER CHECK (severity BETWEEN 1 AND 3)
        )""",
        "CREATE INDEX finding_by_round ON finding (round_id)",
        """
        CREATE TABLE gap (
            round_id TEXT NOT NULL REFERENCES round (id), odometer_m REAL NOT NULL, length_m REAL NOT NULL, reason TEXT NOT NULL
        )""",
        "CREATE INDEX gap_by_round ON gap (round_id, odometer_m)",
        """
        CREATE TABLE track (
            round_id TEXT NOT NULL REFERENCES round (id), n INTEGER NOT NULL, from_m REAL NOT NULL, to_m REAL NOT NULL,
            from_at TEXT, to_at TEXT, points TEXT NOT NULL, frames INTEGER NOT NULL DEFAULT 0, filled_m REAL NOT NULL DEFAULT 0,
            PRIMARY KEY (round_id, n)
        )""",
    )


@MIGRATIONS()
def m002_outbox(db: Database) -> None:
    """Events on their way to the backends, and what was refused of them."""
    _run(
        db,
        # AUTOINCREMENT: a number is never used twice, even when the table has been emptied.
        """
        CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, backend TEXT NOT NULL, stream TEXT NOT NULL,
            priority INTEGER NOT NULL, created_at TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, sent_at TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            UNIQUE (backend, id)
        )""",
        "CREATE INDEX outbox_by_priority ON outbox (backend, priority, seq)",
        """
        CREATE TABLE refused (
            id TEXT NOT NULL, backend TEXT NOT NULL, stream TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL,
            refused_at TEXT NOT NULL,
            PRIMARY KEY (backend, id)
        )""",
    )


@MIGRATIONS()
def m003_condition(db: Database) -> None:
    """What the processes tell and ask each other, and counters."""
    _run(
        db,
        """
        CREATE TABLE request (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('pause', 'resume', 'hazard')),
            note TEXT, made_at TEXT NOT NULL, taken_at TEXT
        )""",
        "CREATE INDEX request_waiting ON request (id) WHERE taken_at IS NULL",
        """
        CREATE TABLE condition (
            name TEXT PRIMARY KEY, boot TEXT NOT NULL, at_boot_s REAL NOT NULL, at TEXT, state TEXT NOT NULL,
            reasons TEXT NOT NULL DEFAULT '[]', counters TEXT NOT NULL DEFAULT '{}'
        )""",
        "CREATE TABLE setting (key TEXT PRIMARY KEY, value)",
    )


@MIGRATIONS()
def m004_delivery(db: Database) -> None:
    """A row of the outbox costs the same however many stand behind it; which photos still wait for a confirmation."""
    kept = "seq, id, backend, stream, priority, created_at, topic, payload, sent_at, tries"
    _run(
        db,
        "ALTER TABLE outbox RENAME TO outbox_3",
        # No index on the id: ids are random, so each row would dirty a page of its own in it. What is on its way is known by its
        # number; only what was sent and stayed unconfirmed for a while is looked up by its id, and that is little.
        """
        CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, backend TEXT NOT NULL, stream TEXT NOT NULL,
            priority INTEGER NOT NULL, created_at TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, sent_at TEXT,
            tries INTEGER NOT NULL DEFAULT 0, about TEXT
        )""",
        f"INSERT INTO outbox ({kept}) SELECT {kept} FROM outbox_3",  # noqa: S608 - our own names
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox', 0 WHERE NOT EXISTS "
        "(SELECT 1 FROM sqlite_sequence WHERE name = 'outbox')",
        "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox_3'), 0)) "
        "WHERE name = 'outbox'",
        "DROP TABLE outbox_3",
        "CREATE INDEX outbox_by_priority ON outbox (backend, priority, seq)",
        "CREATE INDEX outbox_sent ON outbox (backend, id) WHERE sent_at IS NOT NULL",
        # How many backends have not confirmed the finding yet; NULL where it was told to nobody, or before this step.
        "ALTER TABLE finding ADD COLUMN unconfirmed INTEGER",
        "ALTER TABLE finding ADD COLUMN confirmed_s REAL",
        "CREATE INDEX finding_by_photo ON finding (best_frame_id)",
        "CREATE INDEX finding_just_confirmed ON finding (id) WHERE unconfirmed = 0 AND confirmed_s IS NULL",
        "CREATE INDEX frame_with_photo ON frame (round_id, odometer_m) WHERE file IS NOT NULL",
        "ALTER TABLE round ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0",
        # By the moment `at_s` of the confirmed clock (sync/calendar.py) the round's photos up to `odometer_m` were there.
        """
        CREATE TABLE milestone (
            round_id TEXT NOT NULL REFERENCES round (id) ON DELETE CASCADE, odometer_m REAL NOT NULL, at_s REAL NOT NULL,
            PRIMARY KEY (round_id, odometer_m)
        ) WITHOUT ROWID""",
    )


@MIGRATIONS()
def m005_in_view(db: Database) -> None:
    """Findings have a size and a place along the round; what is in view survives a restart."""
    _run(
        db,
        *(f"ALTER TABLE finding ADD COLUMN {column} TEXT" for column in ("first_frame_id", "last_frame_id")),
        *(f"ALTER TABLE finding ADD COLUMN {column} REAL" for column in ("width_m", "length_m", "odometer_m", "right_m")),
        # `thing` is JSON (sync/in_view.py); number 0 is the car itself.
        """
        CREATE TABLE in_view (
            round_id TEXT NOT NULL REFERENCES round (id) ON DELETE CASCADE, number INTEGER NOT NULL, told INTEGER NOT NULL,
            thing TEXT NOT NULL,
            PRIMARY KEY (round_id, number)
        ) WITHOUT ROWID""",
    )


@MIGRATIONS()
def m006_requests(db: Database) -> None:
    """A request says of which boot it is, and when in it: the wall clock may be wrong."""
    _run(
        db,
        "ALTER TABLE request ADD COLUMN boot TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE request ADD COLUMN made_boot_s REAL NOT NULL DEFAULT 0",
        "CREATE INDEX request_of_boot ON request (boot, id)",
    )


@MIGRATIONS()
def m007_grades(db: Database) -> None:
    """What is wrong with a frame's picture, and the grades of the road."""
    _run(
        db,
        # Reason codes with a space between; NULL of frames that nothing has judged.
        "ALTER TABLE frame ADD COLUMN reasons TEXT",
        # `stretch_m`: the length that stretches have at most; `reasons` is JSON. `piece` is the number of the event that told it.
        """
        CREATE TABLE grade (
            round_id TEXT NOT NULL REFERENCES round (id) ON DELETE CASCADE, stretch_m REAL NOT NULL, from_m REAL NOT NULL,
            to_m REAL NOT NULL, grade REAL CHECK (grade BETWEEN 1 AND 5), low REAL, high REAL, coverage REAL NOT NULL,
            cells INTEGER NOT NULL, reasons TEXT NOT NULL, piece INTEGER NOT NULL, street TEXT,
            PRIMARY KEY (round_id, stretch_m, from_m)
        ) WITHOUT ROWID""",
    )


@MIGRATIONS()
def m008_evidence(db: Database) -> None:
    """Pictures of findings: which are still to be cut, and what a picture says beside its pixels."""
    _run(
        db,
        "ALTER TABLE outbox ADD COLUMN headers TEXT",
        """
        CREATE TABLE evidence (
            subject TEXT PRIMARY KEY, round_id TEXT NOT NULL, n INTEGER NOT NULL, frame_id TEXT NOT NULL,
            "left" REAL NOT NULL, "top" REAL NOT NULL, "right" REAL NOT NULL, "bottom" REAL NOT NULL, seen_at TEXT NOT NULL
        )""",
        "CREATE INDEX evidence_by_photo ON evidence (frame_id)",
    )


@MIGRATIONS()
def m009_hazards(db: Database) -> None:
    """What the driver says of a hazard stands with its finding; the last pause is found at once, whatever follows it."""
    _run(
        db,
        "ALTER TABLE finding ADD COLUMN note TEXT",
        "CREATE INDEX finding_of_hazard ON finding (round_id) WHERE label = 'hazard'",
        "CREATE INDEX request_of_pause ON request (id) WHERE kind IN ('pause', 'resume')",
    )


@MIGRATIONS()
def m010_commands(db: Database) -> None:
    """What became of the commands that were obeyed; the number of the last stands in `setting` as `command`."""
    _run(
        db,
        "CREATE TABLE command (sequence INTEGER PRIMARY KEY, do TEXT NOT NULL, outcome TEXT NOT NULL, at TEXT NOT NULL)",
    )


@MIGRATIONS()
def m011_alerts(db: Database) -> None:
    """What was told at once; `over` says why it is not any more."""
    _run(
        db,
        """
        CREATE TABLE alert (
            id TEXT PRIMARY KEY, round_id TEXT NOT NULL, label TEXT NOT NULL, score REAL NOT NULL, latitude_deg REAL NOT NULL,
            longitude_deg REAL NOT NULL, uncertainty_m REAL NOT NULL, frames INTEGER NOT NULL, best_frame_id TEXT NOT NULL,
            model TEXT NOT NULL, first_seen_at TEXT, seen_at TEXT, ended_at TEXT, over TEXT
        )""",
        "CREATE INDEX alert_open ON alert (id) WHERE ended_at IS NULL",
    )


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.conn.execute(statement)
