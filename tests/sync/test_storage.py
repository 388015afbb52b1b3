"""Room on the disk and the time of photos, on a small disk of its own where the machine lets us mount one."""

import os
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from provisioning.settings import Backend, Keeping, Unit
from sync import storage
from sync.ballast import BALLAST_BYTES, Ballast
from sync.calendar import DAY_S
from sync.database import open_database, transaction
from sync.event import iso
from sync.failure import DatabaseFailed
from sync.outbox import Outbox
from sync.rows import insert
from sync.storage import Outcome, Storage

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
START = datetime(2026, 3, 1, 6, tzinfo=timezone.utc)


class Garage:
    """A state folder with a database, photos and a clock of its own."""

    def __init__(self, state, finding_event, photo_bytes=1000):
        self.state = state
        self.db = open_database(state / "ronde.db")
        self.finding_event = finding_event
        self.photo_bytes = photo_bytes
        self.numbers = count(1)
        self.now_s = 0.0

    def round(self, name, frames, *, at=START, found=(), ended=True, step_m=4.0, source="gnss"):
        """A round with so many photos; those in `found` have a finding that waits in the outbox."""
        with transaction(self.db):
            insert(self.db, "round", id=name, software="", models="{}", settings="{}", ended_at=iso(at) if ended else None)
            for n in range(1, frames + 1):
                self._frame(name, n, at + timedelta(seconds=n), n * step_m, source)
                if n in found:
                    self._finding(name, n)

    def _frame(self, name, n, at, odometer_m, source):
        file = f"frames/{name}/{n:06d}.jpg"
        path = self.state / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8" + os.urandom(self.photo_bytes))
        insert(
            self.db,
            "frame",
            id=f"{name}-{n:06d}",
            round_id=name,
            taken_at=iso(at),
            time_source=source,
            odometer_m=odometer_m,
            position_source="between_fixes",
            file=file,
            sha256="ab",
            hidden=0,
        )

    def _finding(self, name, n):
        number = next(self.numbers)
        event = self.finding_event(UNIT, number)
        insert(
            self.db,
            "finding",
            id=event.data["properties"]["finding_id"],
            round_id=name,
            label="pothole",
            score=0.5,
            latitude_deg=43,
            longitude_deg=7,
            uncertainty_m=2,
            frames=1,
            best_frame_id=f"{name}-{n:06d}",
        )
        Outbox(self.db).put(event, (ROADS,))

    def storage(self, *, told=True, boot="a", **keeping):
        return Storage(self.db, self.state, Keeping(**keeping), told=told, boot=boot, clock=lambda: self.now_s)

    def photos(self, name=None):
        """The numbers of the photos that rows and disk agree on."""
        rows = {file for (file,) in self.db.conn.execute("SELECT file FROM frame WHERE file IS NOT NULL")}
        disk = {str(each.relative_to(self.state)) for each in (self.state / "frames").rglob("*.jpg")}
        assert rows == disk
        return sorted(int(file[-10:-4]) for file in rows if name is None or f"/{name}/" in file)

    def settle(self, storage):
        """Steps until there is nothing to do now; the last outcome."""
        for _ in range(500):
            outcome = storage.step()
            if outcome not in (Outcome.EVICTED, Outcome.EXPIRED):
                return outcome
        raise AssertionError("it never ends")


@pytest.fixture
def garage(tmp_path, finding_event):
    made = Garage(tmp_path, finding_event)
    yield made
    made.db.close()


@contextmanager
def free_bytes(monkeypatch, garage, photos):
    """A disk on which there is room for the reserve once so many photos have gone."""
    real = os.statvfs(garage.state)
    start = len(list((garage.state / "frames").rglob("*.jpg")))

    class Disk:
        f_frsize, f_blocks, f_flag = 1, 10**10, real.f_flag

        def __init__(self):
            left = len(list((garage.state / "frames").rglob("*.jpg")))
            self.f_bavail = 10**9 - photos + start - left

    monkeypatch.setattr(storage.os, "statvfs", lambda _: Disk())
    yield
    monkeypatch.undo()


def test_there_is_room_and_the_ballast_is_made(garage):
    garage.round("r", 5)
    made = garage.storage(reserve_mb=1)
    assert garage.settle(made) is Outcome.WELL
    assert Ballast(garage.state).is_there()
    assert garage.photos() == [1, 2, 3, 4, 5]
    assert made.alarms() == frozenset()


def test_confirmed_photos_go_first_and_the_oldest_of_them(garage, monkeypatch):
    monkeypatch.setattr(storage, "BATCH", 1)
    garage.round("r1", 6, found=(1, 4))
    garage.round("r2", 6, found=(2,))
    with free_bytes(monkeypatch, garage, 3):
        monkeypatch.setattr(storage, "BATCH", 1)
        assert garage.settle(garage.storage()) is Outcome.WELL
    assert garage.photos("r1") == [1, 4, 6]
    assert garage.photos("r2") == [1, 2, 3, 4, 5, 6]


def test_then_every_second_unconfirmed_photo_and_never_an_event(garage, monkeypatch):
    garage.round("r1", 8, found=range(1, 9))
    garage.round("r2", 8, found=range(1, 9))
    rows = garage.db.conn.execute("SELECT seq, id, payload FROM outbox").fetchall()
    with free_bytes(monkeypatch, garage, 4):
        monkeypatch.setattr(storage, "BATCH", 1)
        assert garage.settle(garage.storage()) is Outcome.WELL
    assert (garage.photos("r1"), garage.photos("r2")) == ([1, 3, 5, 7], [1, 2, 3, 4, 5, 6, 7, 8])
    with free_bytes(monkeypatch, garage, 4):
        assert garage.settle(garage.storage()) is Outcome.WELL
    assert (garage.photos("r1"), garage.photos("r2")) == ([1, 3, 5, 7], [1, 3, 5, 7])
    with free_bytes(monkeypatch, garage, 2):
        assert garage.settle(garage.storage()) is Outcome.WELL
    assert (garage.photos("r1"), garage.photos("r2")) == ([1, 5], [1, 3, 5, 7])
    with free_bytes(monkeypatch, garage, 100):
        made = garage.storage()
        assert garage.settle(made) is Outcome.SHORT
        assert made.alarms() == {"disk_low"}
    assert (garage.photos("r1"), garage.photos("r2")) == ([1], [1])
    assert garage.db.conn.execute("SELECT seq, id, payload FROM outbox").fetchall() == rows
    assert garage.db.conn.execute("SELECT count(*), min(sha256) FROM frame").fetchone() == (16, "ab")


def test_without_a_backend_no_photo_counts_as_confirmed(garage, monkeypatch):
    garage.round("r", 8)
    with free_bytes(monkeypatch, garage, 2):
        assert garage.settle(garage.storage(told=False)) is Outcome.WELL
    assert garage.photos() == [1, 3, 5, 7]


def test_a_finding_is_confirmed_only_when_its_event_has_left(garage, monkeypatch):
    garage.round("r", 4, found=range(1, 5))
    with transaction(garage.db):
        Outbox(garage.db).confirm([2])
    with free_bytes(monkeypatch, garage, 1):
        assert garage.settle(garage.storage()) is Outcome.WELL
    assert garage.photos() == [1, 3, 4]


def test_what_is_queued_for_work_never_goes(garage, monkeypatch):
    garage.round("driven", 120, ended=False)
    garage.db.conn.execute("UPDATE frame SET position_source = 'ahead_of_fix' WHERE odometer_m <= 8")
    with free_bytes(monkeypatch, garage, 10**6):
        assert garage.settle(garage.storage()) is Outcome.SHORT
    assert garage.photos() == [1, 2, *range(21, 121)]


def test_a_database_that_is_salvaged_goes_before_any_photo(garage, monkeypatch):
    garage.round("r", 4)
    (garage.state / "ronde.db.aside-1.salvaged").write_bytes(b"x")
    (garage.state / "ronde.db.aside-2").write_bytes(b"x")
    with free_bytes(monkeypatch, garage, 1):
        garage.storage().step()
    assert not (garage.state / "ronde.db.aside-1.salvaged").exists()
    assert (garage.state / "ronde.db.aside-2").exists()
    assert len(garage.photos()) == 4


def drive(garage, days, *, boot="a", name=None, found=(), storage_=None):
    """A round of ten photos so many days after the first; the storage then looks after it."""
    name = name or f"day{days}"
    garage.round(name, 10, at=START + timedelta(days=days), found=found)
    made = storage_ or garage.storage(boot=boot)
    garage.now_s += 3600
    garage.settle(made)
    return made


def test_photos_of_confirmed_findings_go_after_two_days_and_their_rows_stay(garage):
    drive(garage, 0, found=(3, 4))
    with transaction(garage.db):
        Outbox(garage.db).confirm([1])
    drive(garage, 1)
    assert garage.photos("day0") == list(range(1, 11))
    drive(garage, 2.1)
    assert garage.photos("day0") == [3, 4]  # 3 has been confirmed for one day, 4 not at all
    drive(garage, 3.1)
    assert garage.photos("day0") == [4]
    drive(garage, 6)
    assert garage.photos("day0") == [4]
    assert garage.db.conn.execute("SELECT count(*) FROM frame WHERE round_id = 'day0'").fetchone() == (10,)


def test_every_photo_goes_after_thirty_days_with_its_place_and_what_is_not_confirmed_stays_an_event(garage):
    drive(garage, 0, found=(4,))
    drive(garage, 1, name="delivered")
    for days in range(6, 30, 6):
        drive(garage, days)
        assert garage.photos("day0") == [4]
    drive(garage, 30.1)
    assert garage.photos("day0") == []
    assert garage.db.conn.execute("SELECT count(*) FROM frame WHERE round_id = 'day0'").fetchone() == (0,)
    assert garage.db.conn.execute("SELECT count(*) FROM outbox").fetchone() == (1,)
    drive(garage, 31.1)
    assert not (garage.state / "frames" / "delivered").exists()
    rounds = [name for (name,) in garage.db.conn.execute("SELECT id FROM round ORDER BY rowid LIMIT 2")]
    assert rounds == ["day0", "day6"]  # of the delivered one nothing is left; day0 has an unconfirmed finding


def test_an_old_database_goes_after_thirty_days_too(garage):
    old = garage.state / "ronde.db.aside-1.salvaged"
    old.write_bytes(b"x")
    for days in range(0, 30, 6):
        drive(garage, days)
        assert old.exists()
    drive(garage, 30.1)
    assert not old.exists()


@pytest.mark.parametrize("days", [-20 * 365, -1024 * 7, 1024 * 7, 20 * 365, 32])
def test_a_jump_of_the_clock_deletes_nothing(garage, days):
    drive(garage, 0)
    drive(garage, 1)
    for n in range(5):
        drive(garage, days + n, boot="jumped", name=f"wrong{n}")
    assert len(garage.photos()) == 70
    drive(garage, 1.5, boot="after")
    assert len(garage.photos()) == 80


def test_the_systems_own_time_is_no_time(garage):
    drive(garage, 0)
    garage.round("system", 10, at=START + timedelta(days=400), source="system")
    for _ in range(3):
        garage.now_s += 3600
        garage.settle(garage.storage(boot=str(garage.now_s)))
    assert len(garage.photos()) == 20


def test_a_car_that_stands_after_its_round_is_not_older_for_it(garage):
    """The last photos of a round are dated by themselves, though the car stood for five days before the next milestone."""
    garage.round("first", 3, at=START - timedelta(days=1))
    first = garage.storage()
    garage.settle(first)
    garage.round("day0", 10, at=START)
    garage.round("later", 1, at=START + timedelta(days=5))
    garage.now_s += 3600
    garage.settle(garage.storage())
    [(at_s,)] = garage.db.conn.execute("SELECT at_s FROM milestone WHERE round_id = 'day0'")
    assert abs(at_s - START.timestamp()) < 60
    assert garage.photos("day0") == []


def test_retention_is_asked_seldom(garage):
    garage.round("r", 3)
    made = garage.storage()
    garage.settle(made)
    garage.db.conn.execute("UPDATE milestone SET at_s = at_s - ?", [40 * DAY_S])
    garage.now_s += storage.RETENTION_S - 1
    assert garage.settle(made) is Outcome.WELL
    assert len(garage.photos()) == 3
    garage.now_s += 2
    assert made.step() is Outcome.EXPIRED
    assert garage.photos() == []


def test_a_read_only_disk_is_an_outcome(garage, monkeypatch):
    class Disk:
        f_frsize, f_blocks, f_bavail, f_flag = 4096, 10**6, 10**6, os.ST_RDONLY

    monkeypatch.setattr(storage.os, "statvfs", lambda _: Disk())
    made = garage.storage()
    assert made.step() is Outcome.READ_ONLY
    assert made.alarms() == {"disk_read_only"}


def test_a_log_that_a_reader_holds_up_is_an_alarm(garage):
    with (garage.state / "ronde.db-wal").open("ab") as wal:
        wal.truncate(storage.WAL_ALARM_BYTES + 1)
    made = garage.storage(reserve_mb=1)
    made.step()
    assert made.alarms() == {"wal_large"}


def write_until_full(db):
    for n in range(100):
        with transaction(db):
            insert(db, "setting", key=f"fill{n}", value="x" * 10_000)


def free(folder):
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def test_a_full_disk_comes_back_by_itself_with_every_event(own_disk, fill, finding_event):
    folder = own_disk.mount_point
    garage = Garage(folder, finding_event, photo_bytes=60_000)
    with closing(garage.db):
        garage.round("r1", 80, found=range(1, 81, 4))
        made = garage.storage(reserve_percent=20)
        garage.settle(made)
        assert Ballast(folder).is_there()
        events = garage.db.conn.execute("SELECT seq, payload FROM outbox").fetchall()
        fill(folder)
        with pytest.raises(DatabaseFailed, match="the disk is full"):
            write_until_full(garage.db)
        assert garage.settle(made) in (Outcome.WELL, Outcome.SHORT)
        assert free(folder) > 2 * BALLAST_BYTES
        assert garage.db.conn.execute("SELECT seq, payload FROM outbox").fetchall() == events
        left = set(garage.photos())
        assert len(left) < 80
        with transaction(garage.db):
            insert(garage.db, "setting", key="again", value="x")
        (folder / "foreign").unlink()
        assert garage.settle(made) is Outcome.WELL
        assert Ballast(folder).is_there()
        assert made.alarms() == frozenset()
        assert garage.db.conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_where_even_the_ballasts_room_is_taken_the_files_go_first(own_disk, fill, finding_event):
    folder = own_disk.mount_point
    garage = Garage(folder, finding_event, photo_bytes=60_000)
    with closing(garage.db):
        garage.round("r1", 120)
        made = garage.storage(reserve_percent=20)
        fill(folder)
        assert not Ballast(folder).is_there()
        assert garage.settle(made) in (Outcome.WELL, Outcome.SHORT)
        assert len(garage.photos()) < 120
        assert free(folder) > 2 * BALLAST_BYTES
