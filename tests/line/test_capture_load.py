"""`ronde capture` beside a model that is too slow and a camera that fails thirty times a second: bounded, counted, told, over."""

import io
import json
import logging
import threading
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from device.boot import now_s
from device.fix import Fix
from device.frame import Exposure, FrameUnreadable
from provisioning import log
from provisioning.settings import Camera, Settings, Unit
from sync.database import open_database
from sync.live_round import LiveRound, Outcome, Outside

SPEED_MPS = 14.0
FPS = 30


class Nobody:
    """A camera and a receiver that say nothing of their own accord."""

    rejected: dict = {}  # noqa: RUF012 - read only
    speed_source = "doppler"

    def troubles(self, _):
        return ()

    def check(self, _):
        pass

    def close(self):
        pass


class World:
    """Pictures and fixes of a car that drives on, up to any moment; a look takes `look_s` of it."""

    def __init__(self, real):
        self.real = real
        self.begin_s = self.at_s = now_s() - 1000.0
        self.look_s = 0.03
        self.pictures = 0
        self.capture = None
        self.ages_s = []
        self.unreadable = False

    def go_on(self, seconds):
        until_s = self.at_s + seconds
        while self.begin_s + self.pictures / FPS <= until_s:
            self.capture._take_exposure(Exposure(self.begin_s + self.pictures / FPS, self.read))
            if self.pictures % FPS == 0:
                self.capture._reader.fixes.put(self.fix(self.begin_s + self.pictures / FPS))
            self.pictures += 1
        self.at_s = until_s

    def read(self):
        if self.unreadable:
            raise FrameUnreadable("the camera gave half a picture")
        return np.full((300, 400, 3), 120, np.uint8)

    def fix(self, boot_s):
        driven_m = (boot_s - self.begin_s) * SPEED_MPS
        taken_at = datetime(2026, 5, 4, 9, tzinfo=timezone.utc) + timedelta(seconds=boot_s)
        return Fix(40.0 + driven_m / 111_195.0, 7.01, 3.0, SPEED_MPS, 0.0, taken_at, boot_s)

    def look(self, frame):
        self.ages_s.append(self.at_s - frame.shutter_boot_s)
        looked = self.real.look(frame)
        self.go_on(self.look_s)
        return looked

    def drive(self, seconds):
        """The line works while time passes. Returns the ages of what it looked at, and the most fixes that waited."""
        self.ages_s, most, until_s = [], 0, self.at_s + seconds
        while self.at_s < until_s:
            self.capture._checked_s = now_s()
            most = max(most, self.capture._reader.fixes.qsize())
            if self.capture.step() is Outcome.WAITED:
                self.go_on(1 / FPS)
        return self.ages_s, most


@pytest.fixture
def world(tmp_path, look, caplog):
    caplog.set_level(logging.CRITICAL, "ronde")
    made = World(look)
    settings = Settings(Unit("cannes", "car-07", tmp_path), camera=Camera(width=1456, height=1088))
    db = open_database(tmp_path / "ronde.db")
    made.capture = LiveRound(settings, Outside(Nobody(), Nobody(), made, {}, ""), db, threading.Event())
    made.capture._begin()
    yield made
    db.close()


def test_a_model_that_is_too_slow_costs_marks_and_the_line_is_live_again_at_once(world):
    ages_s, _ = world.drive(20.0)
    assert max(ages_s) < 2.0  # a fix has to follow
    tally = world.capture._line.tally
    del tally.dropped["roads_failed"]  # there is none, and each frame says so
    assert not tally.dropped
    world.look_s = 2.0
    ages_s, fixes = world.drive(60.0)
    assert fixes <= 3
    assert max(ages_s) < 4.0  # no older than the ring reaches back, and one look
    undecided = (world.look_s + 1.0 + 1.0) * SPEED_MPS / 4.0  # the last look, and two fixes
    assert tally.dropped["no_frame"] == pytest.approx(60.0 * SPEED_MPS / 4.0 - len(ages_s), abs=undecided)
    lost = tally.dropped["no_frame"]
    world.look_s = 0.03
    ages_s, _ = world.drive(30.0)
    assert max(ages_s[20:]) < 2.0
    assert tally.dropped["no_frame"] - lost < 12
    assert len(ages_s) == pytest.approx(30.0 * SPEED_MPS / 4.0, abs=12)


def test_errors_at_thirty_a_second_for_five_minutes_are_counted_and_take_less_than_a_megabyte(world):
    said = io.StringIO()
    seconds = [0.0]
    log.set_up("info", said, clock=lambda: seconds[0])
    try:
        world.drive(5.0)
        world.unreadable = True
        for _ in range(300):
            seconds[0] += 1.0
            world.drive(1.0)
    finally:
        log.set_up()
    tally = world.capture._line.tally
    assert tally.unreadable > 3000
    assert 0 < len(said.getvalue()) < 100_000
    assert any(json.loads(line.partition(">")[2])["event"] == "lines_left_out" for line in said.getvalue().splitlines())
    world.unreadable = False
    kept = world.capture._line.spacing.frames
    world.drive(5.0)
    assert world.capture._line.spacing.frames - kept > 5
