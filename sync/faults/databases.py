"""Damaged databases, each opened as the unit opens its own: set aside, salvaged, a new one in their place within seconds."""

import random
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from provisioning.settings import Backend, Unit
from sync import numbers
from sync.aside import aside_files
from sync.custody import held
from sync.database import Held, open_database, transaction
from sync.event import Event, event_id
from sync.failure import DatabaseDamaged, named
from sync.faults.damage import DAMAGES
from sync.faults.row import Plan, Row, Tally
from sync.outbox import Outbox
from sync.rows import insert

UNIT: Final = Unit("cannes", "car-07")
ROADS: Final = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
EVENTS = 400
FRAMES = 300
AT: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
TRIES = 2
"""Attempts for each damage that is to take effect: a byte may be flipped where nothing is written."""
OPENINGS = 5
"""So often a database that proves damaged in use is opened again."""
UP_S = 5.0
"""The database has to serve again within."""


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged database. `hit`: the damage changed the file. `wrong`: what was not as it has to be, empty where all was.

    `aside`: it was set aside. `ratio`: the share of its events that were on their way again; `seconds`: until it served.
    """

    kind: str
    hit: bool
    aside: bool
    ratio: float
    seconds: float
    wrong: str


@dataclass(frozen=True, slots=True)
class Damages:
    """What became of all of them."""

    cases: tuple[Case, ...]

    @property
    def hits(self) -> int:
        """How many damages took effect."""
        return sum(case.hit for case in self.cases)

    @property
    def wrong(self) -> list[str]:
        """One sentence for each broken promise."""
        return [f"{case.kind}: {case.wrong}" for case in self.cases if case.wrong]

    def ratios(self) -> dict[str, tuple[int, float, float]]:
        """For each kind: how many, the median and the smallest share of events salvaged."""
        by_kind: dict[str, list[float]] = {}
        for case in self.cases:
            by_kind.setdefault(case.kind, []).append(case.ratio)
        return {kind: (len(all_), statistics.median(all_), min(all_)) for kind, all_ in by_kind.items()}


def run(plan: Plan, tally: Tally) -> None:
    """So many databases, each damaged in one way and opened as the unit opens its own."""
    kinds: dict[str, list[float]] = {}
    for _ in range(TRIES):
        missing = plan.load - tally.injected
        if missing <= 0:
            break
        damages = damage_databases(plan.ground.folder, missing, seed=int(plan.rng.integers(2**31)))
        tally.injected += damages.hits
        tally.wrong += damages.wrong
        for case in damages.cases:
            kinds.setdefault(case.kind, []).append(case.ratio)
        tally.measured["set aside"] = tally.measured.get("set aside", 0) + sum(case.aside for case in damages.cases)
    tally.measured |= {f"salvaged, {kind}": f"{sum(ratios) / len(ratios):.0%}" for kind, ratios in kinds.items()}


def damage_databases(folder: Path, cases: int = 260, seed: int = 1) -> Damages:
    """Damages so many databases below `folder`, one after the other, and opens each."""
    source = random.Random(seed)  # noqa: S311 - which bytes are flipped is no secret
    template = folder / "template"
    _make(template)
    kinds = list(DAMAGES)
    return Damages(tuple(_case(template, folder / "case", kinds[n % len(kinds)], source) for n in range(cases)))


def _make(folder: Path) -> None:
    """A database as a drive leaves it: half of it still in its log."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    working = folder / "working"
    working.mkdir()
    db = open_database(working / "ronde.db")
    for part in range(2):
        with transaction(db):
            if not part:
                insert(db, "round", id="0123abcd-1", software="", models="{}", settings="{}")
            for n in range(part * EVENTS // 2, (part + 1) * EVENTS // 2):
                Outbox(db).put(_event(n), (ROADS,))
            for n in range(part * FRAMES // 2, (part + 1) * FRAMES // 2):
                _frame(db, n)
        if not part:
            db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    numbers.note(db, working)
    for name in ("ronde.db", "ronde.db-wal", numbers.FILE):
        shutil.copyfile(working / name, folder / name)
    db.close()
    shutil.rmtree(working)


def _event(n: int) -> Event:
    data = {"type": "Feature", "geometry": None, "properties": {"n": n, "text": "x" * (n % 7 * 900)}}
    return Event(UNIT, "track", event_id(UNIT, "track", "0123abcd-1", n), AT, data)


def _frame(db: Held, n: int) -> None:
    frame_id = f"0123abcd-1-{n:06d}"
    insert(
        db,
        "frame",
        id=frame_id,
        round_id="0123abcd-1",
        time_source="gnss",
        odometer_m=4.0 * n,
        position_source="between_fixes",
        hidden=0,
    )
    insert(db, "detection", frame_id=frame_id, label="pothole", score=0.5, left=1, top=2, right=3, bottom=4)


def _case(template: Path, folder: Path, kind: str, source: random.Random) -> Case:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    file = folder / "ronde.db"
    before = _bytes(folder)
    DAMAGES[kind](file, source)
    hit = _bytes(folder) != before
    started_s = time.monotonic()
    try:
        salvaged, wrong = _drive(file)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the case found out
        salvaged, wrong = 0, f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - started_s
    if not wrong and seconds > UP_S:
        wrong = f"it took {seconds:.1f} s"
    return Case(kind, hit, bool(aside_files(file)), salvaged / EVENTS, seconds, wrong)


def _drive(file: Path) -> tuple[int, str]:
    """Uses the database as the unit does, opening it again where it proves damaged; events found, and what is wrong."""
    for _ in range(OPENINGS):
        with suppress(DatabaseDamaged), held(file, look_over=True) as db, named():
            return _use(db)
    return 0, f"it is still damaged after {OPENINGS} tries"


def _use(db: Held) -> tuple[int, str]:
    outbox = Outbox(db)
    with transaction(db):
        [seq] = outbox.put(_event(EVENTS + 1), (ROADS,))
    parcels = outbox.parcels(outbox.next_seqs("roads", 10 * EVENTS))
    known = {_event(n).id for n in range(EVENTS)}
    found = {parcel.id for parcel in parcels}
    db.conn.execute("SELECT count(*), max(odometer_m) FROM frame").fetchone()
    for (frame_id,) in db.conn.execute("SELECT id FROM frame").fetchall():
        db.conn.execute("SELECT label FROM detection WHERE frame_id = ?", [frame_id]).fetchall()
    with transaction(db):
        left = outbox.confirm([seq])
    if left != [seq] or len(found) != len(parcels):
        return len(found & known), "an event stands twice in the outbox, or does not leave it"
    if seq <= EVENTS:
        return len(found & known), f"the number {seq} is given a second time"
    check = db.conn.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if check != "ok":
        raise DatabaseDamaged(check)
    return len(found & known), ""


def _bytes(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() if each.is_file() else b"" for each in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if each.name.startswith("ronde.db"))


ROW = Row("databases", "flips, truncations, a lost log, foreign and newer ones, a folder", short=26, full=260, needs=(), run=run)
