"""The wall clock is wrong: docs/faults.md, 10 and 11, with real processes under libfaketime, and a clock that jumps by years.

The boot clock stays true, as it does in a car without a battery for its clock. What sets the wall clock right in the car (chrony,
from gpsd) is played by the test, when the first fix is there.
"""

import ast
import csv
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.boot import boot_id, now_s
from device.earth import offset
from device.gpsd import GpsdSource
from sync.faults.car import Car
from sync.faults.child import Child, ronde
from sync.faults.ground import ground, until
from sync.faults.need import faketime_library
from sync.faults.town import Town

PROJECT = Path(__file__).parents[2]
SPEED_MPS = 10.0
TRUE_AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
"""What the satellites say when a test begins; the machine's own clock says something else."""

HELLO = b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}\n'
WATCH = b'{"class":"DEVICES","devices":[{"class":"DEVICE","path":"/dev/ttyACM0"}]}\n{"class":"WATCH","enable":true}\n'


def iso(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """A wall clock in a file that processes under libfaketime read at each look at it."""

    def __init__(self, file, first):
        library = faketime_library()
        if library is None:
            pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
        self._file = file
        self.says(first)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def says(self, moment):
        """From now on it goes on from this moment; None: the true time."""
        off_s = 0.0 if moment is None else (moment - datetime.now(timezone.utc)).total_seconds()
        new = self._file.with_suffix(".new")
        new.write_text(f"{off_s:+.3f}\n")
        new.replace(self._file)


@contextmanager
def satellites(report_at, hertz=5.0):
    """A gpsd that says `report_at(second since now)` as often; gives its port."""
    listener, ended, began_s = socket.create_server(("127.0.0.1", 0)), threading.Event(), now_s()

    def serve():
        with suppress(OSError):
            connection = listener.accept()[0]
            with connection:
                connection.sendall(HELLO)
                connection.recv(1000)
                connection.sendall(WATCH)
                while not ended.wait(1.0 / hertz):
                    connection.sendall(json.dumps(report_at(now_s() - began_s)).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def north(second, **changes):
    """A car that drives north, at its true time."""
    latitude_deg, longitude_deg = offset(43.55, 7.01, 0.0, SPEED_MPS * second)
    report = {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "time": iso(TRUE_AT + timedelta(seconds=second))}
    return report | {"lat": latitude_deg, "lon": longitude_deg, "speed": SPEED_MPS, "track": 0.0, "eph": 5.0} | changes


def no_fix_until(seconds):
    """First nothing, then a fix with the time of its memory, as a receiver without a battery has it; then what is true."""

    def report(second):
        if second < seconds / 2.0:
            return {"class": "TPV", "device": "/dev/ttyACM0", "mode": 1}
        return north(second, time="1980-01-06T00:00:12.000Z") if second < seconds else north(second)

    return report


def query(state, sql):
    with suppress(sqlite3.OperationalError):
        db = sqlite3.connect(f"file:{state / 'ronde.db'}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()
    return []


FINDINGS = 3
"""In each frame that the writer keeps."""


def test_fault_10_a_unit_that_wakes_in_2019_sends_when_the_first_fix_has_set_its_clock(tmp_path):
    with ground() as here:
        clock = Clock(tmp_path / "clock", datetime(2019, 6, 1, 12, tzinfo=timezone.utc))
        town = Town(here)
        car = Car(here, town)
        writer = car.write("--every-s", 0.05, environment=clock.environment)
        until(lambda: car.journal.kept >= 20, "20 frames are kept")
        writer.stop()
        waiting = car.waiting()
        assert waiting > 40
        sync = car.sync(environment=clock.environment)
        until(lambda: sync.heard("not yet valid"), "the certificates are not valid yet")
        assert (town.count(), car.waiting()) == (0, waiting)
        with satellites(no_fix_until(2.0)) as port:
            source = GpsdSource(port=port)
            until(lambda: source.next_fix(0.5) is not None, "there is a fix")
            source.close()
        assert (town.count(), car.waiting()) == (0, waiting)
        assert sync.alive()
        clock.says(None)
        car.drained()
        assert sync.alive(), "it was not started again"
        sync.stop()
        assert len(set(town.stored())) == town.count()
        assert set(town.stored()) == set(car.journal.events)
        assert town.count() > FINDINGS * (car.journal.kept - 4)  # what was still in view is told by the next start


@pytest.fixture
def drive(tmp_path):
    """Two seconds of a picture that moves, drawn: stripes that nobody stands before."""
    folder = tmp_path / "drive"
    (folder / "frames").mkdir(parents=True)
    rows = [["file", "time"]]
    for number in range(20):
        stripes = (np.arange(320) // 40 + number) % 2 * 120 + 60
        picture = np.repeat(np.repeat(stripes.astype(np.uint8)[None, :, None], 240, axis=0), 3, axis=2)
        Image.fromarray(picture).save(folder / "frames" / f"{number:03d}.jpg")
        rows.append([f"{number:03d}.jpg", iso(TRUE_AT + timedelta(seconds=number / 10.0))])
    with (folder / "frames.csv").open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    (folder / "fixes.jsonl").write_text("\n".join(json.dumps(north(float(second))) for second in range(3)) + "\n")
    return folder


def capture(here, clock, drive, state, port):
    """`ronde capture` with that clock."""
    config = here.folder / "ronde.toml"
    config.write_text(
        f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{state}"\n[gps]\nport = {port}\n'
        f'[camera]\nkind = "recorded"\ndrive = "{drive}"\nwidth = 320\nheight = 240\nfps = 10\n'
    )
    return Child(here, ronde("capture", "--config", config), environment=clock.environment)


NO_FIX_S = 12.0
"""A minute in the report; what is kept meanwhile is the same each second."""


def test_fault_11_a_unit_that_starts_in_1970_names_by_boot_and_counter_and_learns_the_time_afterwards(tmp_path, drive):
    state = tmp_path / "state"
    state.mkdir()
    with ground() as here:
        clock = Clock(tmp_path / "clock", datetime(1970, 1, 1, 0, 0, 10, tzinfo=timezone.utc))
        with satellites(no_fix_until(NO_FIX_S)) as port:
            began_s = now_s()
            unit = capture(here, clock, drive, state, port)
            until(lambda: len(query(state, "SELECT id FROM frame")) >= 3, "photos are kept before the first fix")
            kept = query(state, "SELECT taken_at, time_source, position_source FROM frame")
            assert set(kept) == {(None, "unset", "ahead_of_fix")}
            assert now_s() - began_s < NO_FIX_S, "the machine is too slow for this test"
            until(lambda: len(query(state, "SELECT id FROM frame WHERE position_source = 'between_fixes'")) >= 12, "it drives")
            clock.says(None)
            count = len(query(state, "SELECT id FROM frame"))
            until(lambda: len(query(state, "SELECT id FROM frame")) >= count + 5, "it drives on with another clock")
            unit.stop()
    ((round_id, started_at, ended_at),) = query(state, "SELECT id, started_at, ended_at FROM round")
    assert round_id == f"{boot_id()[:8]}-1"
    frames = query(state, "SELECT id, file, taken_at, time_source, position_source, odometer_m FROM frame ORDER BY id")
    assert all(id_.startswith(round_id) and file.startswith(f"frames/{round_id}/") for id_, file, *_ in frames)
    files = sorted(file.relative_to(state).as_posix() for file in (state / "frames").rglob("*.jpg"))
    assert files == [file for _, file, *_ in frames]
    times = [taken_at for _, _, taken_at, _, _, _ in frames]
    assert {source for _, _, _, source, _, _ in frames} == {"gnss"}
    assert all(earlier < later for earlier, later in pairwise(times)), "in the order in which they were taken"
    assert [metres for *_, metres in frames] == sorted(metres for *_, metres in frames)
    sources = [source for *_, source, _ in frames]
    placed_later = sources.index("between_fixes")
    assert placed_later >= 3, "photos from before the first fix have their time"
    assert set(sources[:placed_later]) == {"filled"}
    assert iso(TRUE_AT) < times[0] < iso(TRUE_AT + timedelta(seconds=NO_FIX_S)) < times[-1]
    assert iso(TRUE_AT) < started_at < ended_at
    assert times[-1][:16] in {iso(TRUE_AT + timedelta(minutes=minute))[:16] for minute in range(3)}


JUMPER = """
import json, sys, time
from device.boot import now_s
from device.gpsd import GpsdSource
source = GpsdSource(port=int(sys.argv[1]))
until_s, walls, fixes = now_s() + float(sys.argv[2]), [], []
while now_s() < until_s:
    fix = source.next_fix(0.2)
    walls.append(time.time())
    if fix is not None:
        fixes.append((fix.boot_s, fix.taken_at.isoformat()))
print(json.dumps({"walls": walls, "fixes": fixes, "rejected": dict(source.rejected), "age_s": source.fix_age_s(now_s())}))
"""


def test_a_wall_clock_that_jumps_20_years_either_way_ten_times_a_second_changes_no_fix(tmp_path):
    clock = Clock(tmp_path / "clock", None)
    jumps = [timedelta(days=7305) * way for way in (1, -1, 0, 2, -2)]
    with satellites(north, hertz=20.0) as port:
        command = [sys.executable, "-c", JUMPER, str(port), "4.0"]
        environment = {**os.environ, **clock.environment, "PYTHONPATH": str(PROJECT)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
            tick, number = threading.Event(), 0
            while run.poll() is None:
                clock.says(datetime.now(timezone.utc) + jumps[number % len(jumps)])
                number += 1
                tick.wait(0.1)
            told = json.loads(run.stdout.read())
    jumped = [abs(later - earlier) for earlier, later in pairwise(told["walls"])]
    assert sum(jump > 10 * 365 * 86_400 for jump in jumped) >= 10, "the clock did not jump"
    assert told["rejected"] == {}
    assert 0.0 <= told["age_s"] < 1.0
    assert len(told["fixes"]) >= 50
    boot = [boot_s for boot_s, _ in told["fixes"]]
    taken = [datetime.fromisoformat(each) for _, each in told["fixes"]]
    apart_s = [(b - a) - (d - c).total_seconds() for (a, b), (c, d) in zip(pairwise(boot), pairwise(taken), strict=True)]
    assert max(map(abs, apart_s)) < 0.1


WALL = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}
MAY_ASK = {"street/live.py"}
"""The drawn street plays the satellites: it asks once what time it is."""


def test_nothing_that_senses_or_chooses_reads_the_wall_clock():
    asked = set()
    for file in (PROJECT / "device").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if f"{owner}.{node.attr}" in WALL:
                    asked.add(file.relative_to(PROJECT / "device").as_posix())
    assert asked == MAY_ASK
