"""What is PostgreSQL's alone: one sentence for what is wrong, tables made once by two at once, a server that goes away."""

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.postgres_tables import LOCK, MIGRATIONS, migrate
from sync.receiver.reading import read


def keep(store, *received):
    return store.keep([reading for reading in map(read, received) if reading is not None])


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://h/x?colour=red", "is no address of PostgreSQL: invalid URI query parameter"),
        ("postgresql://ronde:secret@[::1/x", r"postgresql://ronde:\.\.\.@\[::1/x is no address of PostgreSQL"),
        ("{nobody}", 'the database town at .* cannot be reached: .*role "nobody" does not exist'),
        ("{nowhere}", 'the database nowhere at .* cannot be reached: .*database "nowhere" does not exist'),
    ],
)
def test_what_a_person_has_to_mend_is_refused_in_one_sentence(cluster, url, sentence):
    url = url.format(nobody=cluster.url("town", "nobody"), nowhere=cluster.url("nowhere"))
    with pytest.raises(DatabaseRefused, match=sentence) as told:
        open_store(url)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ronde@127.0.0.1:1/town", "the database town at 127.0.0.1 cannot be reached: .*Connection refused"),
        ("postgresql://ronde@/town?host=/nowhere", "the database town at /nowhere cannot be reached: .*No such file"),
        ("postgresql://ronde@host.invalid/town", "the database town at host.invalid cannot be reached: failed to resolve host"),
    ],
)
def test_what_may_come_back_by_itself_is_a_failure(url, sentence):
    with pytest.raises(DatabaseFailed, match=sentence) as told:
        open_store(url)
    assert "\n" not in str(told.value)
    with closing(open_atlas(url)) as atlas, pytest.raises(DatabaseFailed, match=sentence):
        atlas.units()


WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from sync.receiver.databases import open_store
try:
    open_store("postgresql://h/x")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_the_driver_the_extra_is_named():
    told = subprocess.run([sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("DatabaseRefused postgresql:// needs psycopg: pip install 'ronde[postgres]'"), told


def test_missing_rights_and_a_missing_postgis_are_named(bare_postgres, postgres):
    name = postgres.url.rpartition("%3D")[2].split(",")[0]
    postgres.ask(f"CREATE ROLE {name} LOGIN")
    with pytest.raises(DatabaseRefused, match=f"has no PostGIS, and the role {name} may not add it: a superuser has to run"):
        open_store(bare_postgres.url.replace("//ronde@", f"//{name}@"))
    with pytest.raises(DatabaseRefused, match=f"the role {name} may not make ronde's tables in the database town: GRANT CREATE"):
        open_store(postgres.url.replace("//ronde@", f"//{name}@"))
    with psycopg.connect(bare_postgres.url, autocommit=True) as connection:
        with pytest.raises(DatabaseRefused, match="PostGIS is not installed on the server"):
            migrate(connection, extension="postgis_of_tomorrow")
        assert connection.execute("SELECT to_regclass('event')").fetchone() == (None,)


def test_a_role_that_may_only_read_serves_a_map(postgres, car_07):
    name = postgres.url.rpartition("%3D")[2].split(",")[0]
    with closing(open_store(postgres.url)) as store:
        keep(store, car_07.finding(1))
        postgres.ask(f"CREATE ROLE {name} LOGIN")
        postgres.ask(f"GRANT USAGE ON SCHEMA {name} TO {name}")
        postgres.ask(f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {name}")
        reader = postgres.url.replace("//ronde@", f"//{name}@")
        with closing(open_atlas(reader)) as atlas:
            assert len(atlas.findings()) == 1
        with pytest.raises(DatabaseFailed, match="our role may not do this"), closing(open_store(reader)) as poor:
            keep(poor, car_07.finding(2))
    postgres.ask(f"DROP OWNED BY {name}")


def test_tables_of_another_program_and_of_a_newer_ronde_are_left_alone(postgres):
    postgres.ask("CREATE TABLE event (a integer)")
    with pytest.raises(DatabaseRefused, match='has tables of another program: relation "event" already exists'):
        open_store(postgres.url)
    assert postgres.ask("SELECT to_regclass('finding'), to_regclass('ronde_migration')") == [(None, None)]
    postgres.ask("DROP TABLE event")
    open_store(postgres.url).close()
    postgres.ask("INSERT INTO ronde_migration (name) VALUES ('m900_wonders')")
    with pytest.raises(DatabaseRefused, match=r"was written by a newer ronde \(migration m900_wonders\)"):
        open_store(postgres.url)


def test_receivers_that_start_together_make_the_tables_once(bare_postgres, car_07):
    with ThreadPoolExecutor(4) as pool:
        stores = [each.result() for each in [pool.submit(open_store, bare_postgres.url) for _ in range(4)]]
    assert [keep(store, car_07.finding(1)).stored for store in stores] == [1, 0, 0, 0]
    for store in stores:
        store.close()
    open_store(bare_postgres.url).close()
    assert bare_postgres.ask("SELECT name FROM ronde_migration ORDER BY name") == [(name,) for name in sorted(MIGRATIONS)]


def test_geometries_are_there_for_whoever_asks_postgis(postgres, car_07):
    with closing(open_store(postgres.url)) as store:
        keep(store, car_07.finding(1, place=(7.0, 43.5, 12.0)), car_07.track([[7.0, 43.5], [7.0, 43.6, 5.0]]))
    assert postgres.ask("SELECT ST_AsText(place), ST_SRID(place) FROM finding") == [("POINT(7 43.5)", 4326)]
    ((line, metres),) = postgres.ask("SELECT ST_AsText(line), round(ST_Length(line::geography)) FROM track")
    assert (line, metres) == ("LINESTRING(7 43.5,7 43.6)", 11110)
    assert postgres.ask(
        "SELECT f_geometry_column, type FROM geometry_columns WHERE f_table_schema = current_schema ORDER BY 1"
    ) == [
        ("line", "LINESTRING"),
        ("line", "LINESTRING"),
        ("place", "POINT"),
        ("place", "POINT"),
    ]


def test_two_receivers_with_the_same_events_store_each_once_and_numbers_grow_as_they_are_seen(postgres, speech):
    """A reader that asks again and again for what is newer sees each event, whoever committed it."""
    cars = [speech(unit=f"car-{n}") for n in range(4)]
    batches = [[read(car.finding(n)) for n in range(first, first + 5) for car in cars] for first in range(0, 100, 5)]
    stores = [open_store(postgres.url) for _ in range(2)]
    seen: list[int] = []
    written = threading.Event()

    def watch() -> None:
        with closing(open_atlas(postgres.url)) as atlas:
            after = 0
            while True:
                done = written.is_set()
                changes = atlas.changes(after)
                seen.extend(each.seq for each in changes.findings)
                if done and changes.seq == after:
                    return
                after = changes.seq

    def write(store, order) -> int:
        return sum(store.keep(batch[::order]).stored for batch in batches[::order])

    with ThreadPoolExecutor(3) as pool:
        watcher = pool.submit(watch)
        counts = [pool.submit(write, store, order) for store, order in zip(stores, (1, -1), strict=True)]
        stored = [count.result() for count in counts]
        written.set()
        watcher.result()
    assert sum(stored) == 400
    assert min(stored) > 0
    assert sorted(seen) == [seq for (seq,) in postgres.ask("SELECT seq FROM finding ORDER BY seq")]
    assert len(seen) == 400
    for store in stores:
        store.close()


def test_a_connection_that_ends_is_made_anew_and_what_was_underway_is_stored_once(postgres, car_07):
    with closing(open_store(postgres.url)) as store:
        keep(store, car_07.finding(1))
        store._connection.execute("SET application_name = 'doomed'")
        postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'")
        with pytest.raises(DatabaseFailed, match=r"the database town at .* cannot be used: "):
            keep(store, car_07.finding(2))
        assert keep(store, car_07.finding(1), car_07.finding(2)).stored == 1
        with pytest.raises(DatabaseFailed):
            end_in_the_middle(store, car_07.finding(3))
        assert postgres.ask("SELECT count(*) FROM finding") == [(2,)]
        assert keep(store, car_07.finding(3)).stored == 1


def end_in_the_middle(store, received):
    with store._transaction():
        assert len(store._put([read(received)], "2026-03-04T05:06:09.000Z")) == 1
        store._connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_receiver_that_hangs_in_a_transaction_does_not_hold_up_the_others_for_ever(postgres, car_07):
    with closing(open_store(postgres.url)) as hanging, closing(open_store(postgres.url)) as other:
        with hanging._server.connected() as connection:
            connection.execute("SET idle_in_transaction_session_timeout = '200ms'")
        with pytest.raises(DatabaseFailed, match="cannot be used"):
            hang(hanging, lambda: keep(other, car_07.finding(1)))
        assert keep(other, car_07.finding(1)).duplicates == 1, "it has waited for the lock, and the server took it away"
        assert keep(hanging, car_07.finding(2)).stored == 1


def hang(store, meanwhile):
    with store._transaction():
        meanwhile()
        store._connection.execute("SELECT 1")


def test_a_commit_is_durable_whatever_the_database_says(postgres):
    name = postgres.url.rpartition("%3D")[2].split(",")[0]
    postgres.ask(f"CREATE ROLE {name} LOGIN SUPERUSER")
    postgres.ask(f"ALTER ROLE {name} SET synchronous_commit = off")
    with closing(open_store(postgres.url.replace("//ronde@", f"//{name}@"))) as store:
        assert store._server._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_the_driver_says_nothing_of_its_own(postgres, car_07, caplog):
    with caplog.at_level(logging.WARNING), closing(open_store(postgres.url)) as store:
        keep(store, car_07.finding(1))
        store._connection.execute("SET lock_timeout = '50ms'")
        with psycopg.connect(postgres.url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            with pytest.raises(DatabaseFailed):
                keep(store, car_07.finding(2))
    assert caplog.records == []
