"""A database that cannot serve is set aside, salvaged and started anew, with others holding it open or not."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from device.boot import boot_id
from provisioning.settings import Backend, Unit
from sync import custody, numbers
from sync.aside import aside_files, next_aside, spent_files, unsalvaged_files
from sync.custody import held, take_database
from sync.database import next_number, open_database, transaction
from sync.failure import DatabaseDamaged, DatabaseFailed, DatabaseRefused
from sync.faults.damage import DAMAGES
from sync.faults.databases import damage_databases
from sync.hold import inode_of, is_marked, mark_damaged
from sync.outbox import Outbox
from sync.pages import PAGE
from sync.round_store import Recipients
from sync.rounds import close_rounds, next_round_id
from sync.rows import insert
from sync.salvage import Salvage, salvaged_of

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ronde.db"


@pytest.fixture
def fill(finding_event):
    def fill_file(file, events):
        with closing(open_database(file)) as db, transaction(db):
            first = Outbox(db).newest() + 1
            return [Outbox(db).put(finding_event(UNIT, n), (ROADS,))[0] for n in range(first, first + events)]

    return fill_file


def wipe(file, *pages):
    content = bytearray(file.read_bytes())
    for page in pages:
        content[(page - 1) * PAGE : page * PAGE] = b"\xee" * PAGE
    file.write_bytes(content)


def root(file, table):
    with closing(sqlite3.connect(file)) as db:
        return db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]


def test_a_database_in_order_is_opened_and_nothing_is_set_aside(file, fill):
    fill(file, 5)
    with held(file, look_over=True) as db:
        assert Outbox(db).size().rows == 5
    assert aside_files(file) == []
    with pytest.raises(DatabaseRefused, match="there is no folder"):
        take_database(file.parent / "none" / "ronde.db")


def test_a_damaged_one_is_kept_salvaged_and_gone_on_with(file, fill):
    fill(file, 200)
    kept = root(file, "outbox")
    wipe(file, kept)
    damaged = file.read_bytes()
    with held(file, look_over=True) as db:
        assert Outbox(db).size("roads").rows == 200  # the root of a table holds no rows
        with transaction(db):
            assert next_number(db, "health") > numbers.HEALTH_MARGIN
        assert fill_after(db) > 200
    [aside] = aside_files(file)
    assert aside.name == "ronde.db.aside-1.salvaged"
    assert aside.read_bytes() == damaged
    assert not is_marked(file)


def fill_after(db):
    with transaction(db):
        db.conn.execute(
            "INSERT INTO outbox (id, backend, stream, priority, created_at, topic, payload) VALUES (1, 2, 3, 4, 5, 6, 7)"
        )
        return Outbox(db).newest()


def test_each_that_is_set_aside_has_a_name_of_its_own_and_says_why(file, fill):
    for n in (1, 2, 3, 4):
        fill(file, 3)
        wipe(file, 1)
        with held(file) as db:
            reason = db.conn.execute("SELECT value FROM setting WHERE key = ?", [f"aside/ronde.db.aside-{n}"]).fetchone()[0]
        assert "not a database" in json.loads(reason)["reason"]
        assert json.loads(reason)["boot"] == boot_id()
    assert [each.name for each in aside_files(file)] == [f"ronde.db.aside-{n}.salvaged" for n in (2, 3, 4)]
    assert next_aside(file).name == "ronde.db.aside-5"


def test_what_is_not_ours_or_of_a_newer_ronde_is_set_aside_too(file, fill):
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE album (name TEXT)")
    with held(file) as db:
        assert Outbox(db).size().rows == 0
    fill(file, 7)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ronde', 'm900_future', '')")
    with held(file) as db:
        assert Outbox(db).size().rows == 7
    file.unlink()
    file.mkdir()
    with held(file) as db:
        assert Outbox(db).size().rows == 0
    assert (file.with_name("ronde.db.aside-3")).is_dir()


def test_a_main_file_that_is_gone_or_empty_leaves_its_log_to_be_salvaged(file, fill):
    keeper = open_database(file)  # while one is open, its log is not folded into the file
    fill(file, 30)
    log = file.with_name("ronde.db-wal").read_bytes()
    keeper.close()
    for gone in (True, False):
        file.unlink() if gone else file.write_bytes(b"")
        file.with_name("ronde.db-wal").write_bytes(log)
        with held(file) as db:
            assert Outbox(db).size().rows == 30


def test_numbers_are_never_given_twice_where_a_database_goes_back_in_time(file, fill):
    fill(file, 10)
    with held(file) as db:
        with transaction(db):
            next_number(db, "health")
        numbers.note(db, file.parent)
        assert not numbers.note(db, file.parent)
    before = file.read_bytes()
    fill(file, 10)
    with held(file) as db:
        assert numbers.note(db, file.parent)
    for lost in (before, b""):
        for each in file.parent.glob("ronde.db*"):
            each.unlink()
        file.write_bytes(lost)
        with held(file) as db:
            assert numbers.given(db).sequence > numbers.SEQUENCE_MARGIN
            assert numbers.given(db).health > numbers.HEALTH_MARGIN
    (file.parent / numbers.FILE).write_text("torn")
    assert numbers.noted(file.parent) == numbers.Numbers()


def test_a_round_of_this_boot_keeps_its_name(file, fill):
    fill(file, 1)
    (file.parent / "frames" / f"{boot_id()[:8]}-3").mkdir(parents=True)
    (file.parent / "frames" / "0123abcd-9").mkdir()
    wipe(file, 1)
    with held(file) as db:
        assert next_round_id(db, boot_id()) == f"{boot_id()[:8]}-4"
        close_rounds(db, file.parent, Recipients())
        assert next_round_id(db, boot_id()) == f"{boot_id()[:8]}-4"


def test_what_is_salvaged_of_a_round_takes_the_place_of_its_bare_name(file, fill):
    fill(file, 1)
    name = f"{boot_id()[:8]}-3"
    (file.parent / "frames" / name).mkdir(parents=True)
    with held(file) as db, transaction(db):
        insert(
            db, "round", id=name, started_at="2026-05-04T09:00:00.000Z", ended_at=None, software="1.2", models="{}", settings="{}"
        )
    wipe(file, root(file, "finding"))
    with held(file, look_over=True) as db:
        rows = db.conn.execute("SELECT started_at, ended_at, software FROM round WHERE id = ?", [name]).fetchall()
    assert rows == [("2026-05-04T09:00:00.000Z", None, "1.2")]


def test_a_large_one_is_salvaged_a_few_pages_at_a_time_and_goes_on_where_it_was(file, fill, monkeypatch):
    monkeypatch.setattr(custody, "SALVAGE_S", 0.0)
    monkeypatch.setattr("sync.salvage.STEP_PAGES", 7)
    seqs = fill(file, 300)
    wipe(file, root(file, "finding"))
    with held(file, look_over=True) as db:
        assert [each.name for each in unsalvaged_files(file)] == ["ronde.db.aside-1"]
        assert spent_files(file) == []
        steps = 0
        done = False
        while not done:
            [aside] = aside_files(file)
            with closing(Salvage(db, aside, file.parent)) as salvage:  # a new one each time, as after a restart
                assert salvage.salvaged.next_page == 1 + 7 * (steps + 1)
                done = salvage.step().done
            steps += 1
        assert steps > 5
        assert Outbox(db).next_seqs("roads", 999) == seqs
        salvaged = salvaged_of(db, aside)
        assert (salvaged.events, salvaged.events_before, salvaged.ratio) == (300, 300, 1.0)
    assert unsalvaged_files(file) == []


def test_rows_of_every_table_come_back_and_stand_in_order(file, tmp_path):
    (tmp_path / "frames" / "r").mkdir(parents=True)
    (tmp_path / "frames" / "r" / "1.jpg").write_bytes(b"\xff\xd8")
    with closing(open_database(file)) as db, transaction(db):
        insert(db, "round", id="r", software="1", models="{}", settings="{}")
        for n in (1, 2):
            columns = {"taken_at": None, "latitude_deg": 43.5, "longitude_deg": 7, "file": f"frames/r/{n}.jpg", "sha256": "a"}
            insert(
                db,
                "frame",
                id=f"r-{n}",
                round_id="r",
                time_source="gnss",
                odometer_m=4 * n,
                hidden=2,
                position_source="filled",
                **columns,
            )
            insert(db, "detection", frame_id=f"r-{n}", label="patch", score=0.25, left=1, top=2.5, right=3, bottom=4)
        insert(
            db,
            "finding",
            id="r-f1",
            round_id="r",
            label="patch",
            score=1,
            latitude_deg=43,
            longitude_deg=7.25,
            uncertainty_m=3,
            frames=1,
            best_frame_id="r-1",
        )
        insert(db, "gap", round_id="r", odometer_m=9, length_m=3, reason="disk")
        insert(db, "track", round_id="r", n=1, from_m=0, to_m=10, points="[]")
        insert(db, "request", kind="pause", made_at="then")
        insert(db, "setting", key="bytes/2026-03-04", value=77)
        insert(db, "refused", id="x", backend="roads", stream="finding", reason="no", payload=b"{}", refused_at="then")
        tables = ("round", "frame", "detection", "finding", "gap", "track", "request", "refused")
        before = {table: db.conn.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    wipe(file, 1)
    with held(file) as db:
        after = {table: db.conn.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        assert db.conn.execute("SELECT value FROM setting WHERE key = 'bytes/2026-03-04'").fetchone() == (77,)
        assert db.conn.execute("PRAGMA foreign_key_check").fetchall() == []
    lost = before["frame"][1]
    assert lost[12] == "frames/r/2.jpg"
    before["frame"][1] = (*lost[:12], None, *lost[13:])  # its photo is not on the disk
    assert after == before


def test_rows_whose_round_is_lost_get_one_of_its_name(file):
    with closing(open_database(file)) as db, transaction(db):
        insert(db, "round", id="r", software="1", models="{}", settings="{}")
        insert(db, "gap", round_id="r", odometer_m=9, length_m=3, reason="disk")
    wipe(file, 1, root(file, "round"))
    with held(file) as db:
        assert db.conn.execute("SELECT id, software FROM round").fetchall() == [("r", "")]
        assert db.conn.execute("SELECT count(*) FROM gap").fetchone() == (1,)


HOLDER = """
import sys, time
from pathlib import Path
from sync.custody import held
from sync.database import next_number, transaction
from sync.failure import DatabaseDamaged
file = Path(sys.argv[1])
while True:  # as the capture does: a transaction now and then, and the database anew where it is told so
    try:
        with held(file) as db:
            while True:
                with transaction(db):
                    print(db.conn.execute("SELECT count(*) FROM gap").fetchone()[0], next_number(db, "held"), flush=True)
                time.sleep(0.05)
    except DatabaseDamaged:
        print("let go", flush=True)
"""


def test_whoever_holds_it_open_is_told_lets_go_and_goes_on_in_the_new_one(file, fill, until):
    fill(file, 50)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(holder.stdout))
    reader.start()
    try:
        until(lambda: len(lines) > 3, "the holder writes")
        started_s = time.monotonic()
        with pytest.raises(DatabaseDamaged), held(file):
            raise DatabaseDamaged("a page was found broken")
        with held(file) as db:
            seconds = time.monotonic() - started_s
            assert Outbox(db).size().rows == 50
            db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('r', '', '{}', '{}')")
            db.conn.execute("INSERT INTO gap VALUES ('r', 1, 1, 'seen by both')")
        until(lambda: lines[-1].startswith("1 "), "the holder sees what the new database holds")
    finally:
        holder.kill()
        holder.wait()
        reader.join()
        holder.stdout.close()
    assert lines.count("let go\n") == 1
    assert seconds < 5
    assert len(aside_files(file)) == 1


def test_two_that_find_damage_at_the_same_time_make_it_anew_once(file, fill):
    fill(file, 50)
    wipe(file, 1)
    seen, failures = [], []

    def take():
        try:
            with held(file, look_over=True) as db:
                seen.append(Outbox(db).size().rows)
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen == [50] * 6
    assert len(aside_files(file)) == 1


def test_where_others_do_not_let_go_it_is_an_outcome(file, fill, monkeypatch):
    monkeypatch.setattr("sync.hold.LET_GO_S", 0.1)
    fill(file, 1)
    with closing(open_database(file)):
        mark_damaged(file, inode_of(file))
        with pytest.raises(DatabaseFailed, match="does not let go") as failed:
            take_database(file)
        assert failed.value.code == "database_locked"
    with held(file) as db:
        assert Outbox(db).size().rows == 1


def test_every_kind_of_damage_ends_in_a_database_that_serves(tmp_path):
    damages = damage_databases(tmp_path / "damages", cases=2 * len(DAMAGES), seed=7)
    assert damages.wrong == []
    assert damages.hits == len(damages.cases) == 2 * len(DAMAGES)
    ratios = damages.ratios()
    for kind in ("one byte flipped", "a page wiped", "its beginning overwritten", "of a newer ronde"):
        assert ratios[kind][2] > 0.95, ratios
    assert ratios["8 bytes flipped in each of 50 pages"][2] > 0.7
