import numpy as np
import pytest

from device.simulated_senses import Receiver, reports
from device.speeds import STEP_S
from device.street.drive import ASIDE_MPS2, CRUISE_MPS, HARDEST_MPS2, SPEED_UP_MPS2, drive_loop, drive_town
from device.street.furnish import make_scene


@pytest.fixture(scope="module")
def loop():
    return drive_loop(make_scene("tests", 1))


def test_it_drives_as_a_person_would(loop):
    speeds = loop.speeds_mps
    change = np.diff(speeds) / STEP_S
    assert (speeds.min(), speeds.max()) == (0.0, pytest.approx(CRUISE_MPS))
    assert -HARDEST_MPS2 - 1e-6 < change.min() < 0 < change.max() < SPEED_UP_MPS2 + 1e-6
    bends = np.array([abs(loop.scene.path.curvature_per_m(each)) for each in loop.odometers_m[::50]])
    assert (speeds[::50] ** 2 * bends).max() < ASIDE_MPS2 * 1.3


def test_it_stops_at_red_lights_and_goes_on_at_green(loop):
    standing = np.flatnonzero(loop.speeds_mps < 0.01)
    assert len(standing) > 5 / STEP_S
    for number in standing[:: int(1 / STEP_S)]:
        along_m = loop.odometers_m[number]
        light = min(loop.scene.lights, key=lambda each: abs(each.at_m - along_m))
        assert -0.3 < light.at_m - along_m < 0.5
        assert light.state(number * STEP_S - 1.0) != "green"


def test_a_loop_ends_where_it_began(loop):
    assert loop.odometers_m[-1] == pytest.approx(loop.scene.path.length_m, abs=0.2)
    end, start = loop.pose(loop.seconds), loop.pose(0.0)
    assert np.hypot(end.east_m - start.east_m, end.north_m - start.north_m) < 0.2


def test_course_and_place_belong_together(loop):
    for at_s in np.linspace(1, loop.seconds - 1, 40):
        one, other = loop.pose(at_s - 0.05), loop.pose(at_s + 0.05)
        right_m, ahead_m = loop.pose(at_s).to_car(other.east_m, other.north_m)
        assert np.hypot(other.east_m - one.east_m, other.north_m - one.north_m) == pytest.approx(
            loop.speed_mps(at_s) * 0.1, abs=0.02
        )
        assert abs(right_m) < 0.05
        assert ahead_m > -1e-6


def test_the_receiver_sees_nothing_in_the_tunnel(loop):
    (tunnel,) = loop.scene.tunnels
    said = reports(loop, Receiver(missing=0.0), np.random.default_rng(1))
    blind = [number for number, (_, report) in enumerate(said) if report["mode"] == 1]
    assert blind
    assert all(tunnel.from_m <= loop.odometer_m(float(number)) <= tunnel.to_m for number in blind)
    assert len(blind) == sum(loop.in_tunnel(float(n)) for n in range(len(said)))


def test_a_drive_from_anywhere_begins_there():
    drive = drive_town(make_scene("tests", 2), 10.0, from_m=700.0, start_mps=5.0)
    assert drive.along_m(0.0) == pytest.approx(700.0)
    assert drive.speed_mps(0.0) == pytest.approx(5.0)
    assert drive.seconds == pytest.approx(10.0)
