from dataclasses import replace

import numpy as np
import pytest

from device.street.drive import TownDrive
from device.street.furnish import make_scene
from device.street.moment import Things, instant
from device.street.oncoming import Oncoming

TOWN = make_scene("tests", 1)
COMES = tuple(thing for thing in TOWN.things if thing.kind == "vehicle" and thing.motion.way == "against")
TIMES_S = np.arange(0.0, 240.0, 0.5)


@pytest.fixture(scope="module")
def places_m():
    """(cars, times) metres along."""
    oncoming = Oncoming(TOWN, COMES)
    return np.array([[oncoming.along_m(thing, at_s) for at_s in TIMES_S] for thing in COMES])


def moved_m(places_m):
    """How far each has come against the line, from one time to the next."""
    length_m = TOWN.path.length_m
    return (places_m[:, :-1] - places_m[:, 1:] + length_m / 2) % length_m - length_m / 2


def test_they_come_towards_never_faster_than_they_may(places_m):
    steps_m = moved_m(places_m)
    assert (steps_m > -1e-9).all()
    assert steps_m.max() <= COMES[0].motion.speed_mps * 0.5 + 1e-6
    assert steps_m.mean() > 0.4 * COMES[0].motion.speed_mps * 0.5


def test_nobody_passes_a_stop_line_long_after_the_light_has_turned(places_m):
    stood = 0
    for light in TOWN.lights:
        crossing = next(each for each in TOWN.crossings if -1.0 < TOWN.path.gap(light.at_m, each.at_m) < 12.0)
        gaps_m = np.vectorize(lambda along_m, at_m=crossing.at_m: TOWN.path.gap(at_m, along_m))(places_m)
        late = np.array([light.state(at_s) == "red" and light.state(at_s - 3.0) == "red" for at_s in TIMES_S])
        passed = (gaps_m[:, :-1] > 0.0) & (gaps_m[:, 1:] <= 0.0) & (np.abs(gaps_m[:, 1:]) < 20.0) & late[:-1]
        assert not passed.any(), light.id
        stood += int(((np.abs(moved_m(places_m)) < 0.01) & (gaps_m[:, :-1] > 0) & (gaps_m[:, :-1] < 12) & late[:-1]).any())
    assert stood > 0


def test_they_keep_apart(places_m):
    order = np.argsort(places_m[:, 0])
    ordered = places_m[order]
    gaps_m = (np.roll(ordered, -1, axis=0) - ordered) % TOWN.path.length_m
    lengths_m = np.array([COMES[number].length_m for number in order])
    assert (gaps_m.min(axis=1) > (lengths_m + np.roll(lengths_m, -1)) / 2).all()


def test_where_one_is_does_not_depend_on_what_was_asked_before():
    one, other = Oncoming(TOWN, COMES), Oncoming(TOWN, COMES)
    late = one.along_m(COMES[2], 200.0)
    other.along_m(COMES[0], 3.0)
    assert other.along_m(COMES[2], 200.0) == late
    assert one.along_m(COMES[2], 3.0) == other.along_m(COMES[2], 3.0)


def test_a_scene_shows_them_where_they_are():
    scene = replace(TOWN, things=(COMES[0],))
    drive = TownDrive(scene, np.full(6000, 8.0), COMES[0].along_m - 60.0)
    (placed,) = Things(scene, 1).seen_from(instant(drive, 2.0))
    along_m, right_m = scene.path.beside(np.array([placed.pose.east_m]), np.array([placed.pose.north_m]))
    assert right_m[0] == pytest.approx(COMES[0].right_m, abs=0.01)
    assert along_m[0] == pytest.approx(Oncoming(scene, (COMES[0],)).along_m(COMES[0], 2.0), abs=0.05)
