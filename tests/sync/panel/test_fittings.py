"""The lamp, the buzzer and the buttons of a unit, on gpiozero's mock pins: they show and ask what the page does."""

import threading

import pytest

pytest.importorskip("gpiozero")

from gpiozero.pins.mock import MockFactory

from device.boot import now_s
from device.buzzer import LONG, SHORT, THREE_LONG, TWO_SHORT
from device.gpio import GpioMissing
from device.lamp import COLOURS, TEST_S, Signal
from provisioning.settings import Panel
from sync.panel.bell import STAYS_S, WAITS_S, Bell
from sync.panel.desk import Desk
from sync.panel.fittings import Fittings, fittings_of, signal_of
from sync.panel.glance import Glance

PINS = {"green_pin": 17, "amber_pin": 27, "red_pin": 22, "buzzer_pin": 5, "pause_pin": 6, "resume_pin": 13, "hazard_pin": 19}
LIGHTS = {"green": 17, "amber": 27, "red": 22}
DEADLINE_S = 20.0


@pytest.fixture
def factory():
    made = MockFactory()
    yield made
    made.reset()


@pytest.fixture
def fitted(car, factory):
    """The fittings with what they show now in a list of one."""
    seen = [Glance("recording")]
    fittings = Fittings(Panel(**PINS), lambda: seen[0], Desk(car.state), factory)
    yield fittings, seen
    fittings.close()


def lit(factory):
    return [colour for colour, pin in LIGHTS.items() if factory.pin(pin).state]


@pytest.mark.parametrize(
    ("glance", "signal"),
    [
        (Glance("recording", also=("disk_low",)), Signal("green")),
        (Glance("paused"), Signal()),
        (Glance("fault", ("camera_stalled",)), Signal("red")),
        (Glance("waiting", ("no_fix",)), Signal("amber", 1)),
        (Glance("waiting", ("time_jumped",)), Signal("amber", 1)),
        (Glance("waiting", ("camera_stalled",)), Signal("amber", 2)),
        (Glance("waiting", ("disk_full",)), Signal("amber", 3)),
        (Glance("waiting", ("stopped",)), Signal("amber", 4)),
        (Glance("waiting", ()), Signal("amber")),
    ],
)
def test_the_lamp_says_the_state_and_its_blinks_the_reason(glance, signal):
    assert signal_of(glance) == signal


def test_each_light_is_tested_and_then_shows_the_state(fitted, factory):
    fittings, seen = fitted
    began_s = fittings._began_s
    tested = []
    for number in range(len(COLOURS)):
        fittings.step(began_s + number * TEST_S + 0.1)
        tested += lit(factory)
    assert tested == list(COLOURS)
    for state, colours in (("recording", ["green"]), ("fault", ["red"]), ("paused", []), ("waiting", ["amber"])):
        seen[0] = Glance(state)
        fittings.step(began_s + 10.0)
        assert lit(factory) == colours


@pytest.mark.parametrize(("pin", "kind"), [(6, "pause"), (13, "resume"), (19, "hazard")])
def test_a_button_asks_for_what_the_page_asks_for_and_is_heard(fitted, factory, car, pin, kind):
    fittings, _ = fitted
    factory.pin(pin).drive_low()
    factory.pin(pin).drive_high()
    tick, deadline_s, heard = threading.Event(), now_s() + DEADLINE_S, 0
    while not heard and now_s() < deadline_s:
        fittings.step(now_s())
        heard += bool(factory.pin(5).state)
        tick.wait(0.02)
    assert heard
    assert car.requests() == [(kind, None)]


def test_it_sounds_for_a_change_that_matters_and_for_no_tunnel():
    bell, heard = Bell(), []
    moments = [
        (0.0, "fault"),  # it starts
        (20.0, "recording"),
        (100.0, "waiting"),  # a tunnel
        (130.0, "recording"),
        (200.0, "fault"),  # a hiccup
        (203.0, "recording"),
        (300.0, "fault"),
        (300.0 + STAYS_S, "fault"),
        (400.0, "fault"),
        (410.0, "waiting"),
        (411.0, "recording"),
        (500.0, "waiting"),
        (500.0 + WAITS_S, "waiting"),
        (600.0, "paused"),
        (601.0, "paused"),
        (700.0, "recording"),
    ]
    for at_s, state in moments:
        pattern = bell.turn(state, at_s)
        if pattern is not None:
            heard.append((at_s, pattern))
    assert heard == [
        (300.0 + STAYS_S, THREE_LONG),
        (411.0, SHORT),
        (500.0 + WAITS_S, TWO_SHORT),
        (600.0, LONG),
        (700.0, SHORT),
    ]


def test_a_unit_that_does_not_start_is_heard_and_so_is_a_pause_of_yesterday():
    bell = Bell()
    assert [bell.turn("fault", at_s) for at_s in (0.0, STAYS_S + 1.0, WAITS_S)] == [None, None, THREE_LONG]
    assert Bell().turn("paused", 0.0) == LONG


def test_without_pins_the_page_serves_alone(car, serve, monkeypatch, caplog):
    def none():
        raise GpioMissing("there are none")

    monkeypatch.setattr("sync.panel.fittings.pin_factory", none)
    car.tell("recording")
    panel = serve(car, **PINS)
    assert panel.ask("/").status == 200
    assert panel.press("pause").status == 200
    assert "pins_missing" in caplog.text
    assert fittings_of(Panel(), Glance, Desk(car.state)) is None, "nothing is wired, so nothing is missing"


def test_the_panel_turns_the_lamp_by_itself(car, serve, factory):
    car.tell("fault", "camera_stalled")
    serve(car, factory, **PINS)
    tick, deadline_s = threading.Event(), now_s() + DEADLINE_S
    while lit(factory) != ["red"] and now_s() < deadline_s:
        car.tell("fault", "camera_stalled")
        tick.wait(0.1)
    assert lit(factory) == ["red"]
