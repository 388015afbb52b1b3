"""The lamp, the buzzer and the buttons on gpiozero's own mock pins."""

import pytest

pytest.importorskip("gpiozero")

from gpiozero.pins.mock import MockFactory

from device.buttons import BOUNCE_S, Buttons
from device.buzzer import LONG, SHORT, THREE_LONG, TWO_SHORT, Buzzer, is_sounding
from device.gpio import GpioMissing, pin_factory
from device.lamp import COLOURS, OFF_S, ON_S, REST_S, TEST_S, Lamp, Signal, in_test, is_lit

PINS = {"green": 17, "amber": 27, "red": 22}


@pytest.fixture
def factory():
    made = MockFactory()
    yield made
    made.reset()


def lights(factory):
    return [colour for colour, pin in PINS.items() if factory.pin(pin).state]


def test_one_light_at_a_time_and_none_in_a_pause(factory):
    lamp = Lamp(PINS, factory)
    for colour in COLOURS:
        lamp.show(Signal(colour), 1.0)
        assert lights(factory) == [colour]
    lamp.show(Signal(), 2.0)
    assert lights(factory) == []
    lamp.show(Signal("red"), 3.0)
    lamp.close()
    assert lights(factory) == []


@pytest.mark.parametrize("blinks", [1, 2, 3, 4, 5])
def test_blinks_can_be_counted(factory, blinks):
    lamp, changes, before = Lamp(PINS, factory), 0, False
    period_s = blinks * (ON_S + OFF_S) + REST_S
    for step in range(round(period_s / 0.05)):
        lamp.show(Signal("amber", blinks), 100.0 + step * 0.05)
        now = lights(factory) == ["amber"]
        changes += now and not before
        before = now
    assert changes == blinks
    assert is_lit(Signal("amber", blinks), 0.0) == is_lit(Signal("amber", blinks), period_s + 1e-6)
    assert not is_lit(Signal("amber", blinks), period_s - REST_S / 2)
    lamp.close()


def test_each_light_is_tried_at_the_start():
    seen = [in_test(step * TEST_S + 0.01) for step in range(5)]
    assert seen == [Signal("green"), Signal("amber"), Signal("red"), None, None]


def test_a_light_without_a_pin_is_not_there(factory):
    lamp = Lamp({"green": 17}, factory)
    lamp.show(Signal("red"), 0.0)
    assert not factory.pin(17).state
    lamp.show(Signal("green"), 0.0)
    assert factory.pin(17).state
    lamp.close()


@pytest.mark.parametrize(("pattern", "sounds"), [(SHORT, 1), (TWO_SHORT, 2), (LONG, 1), (THREE_LONG, 3)])
def test_the_buzzer_sounds_its_pattern_and_is_silent_again(factory, pattern, sounds):
    buzzer, heard, before = Buzzer(5, factory), 0, False
    buzzer.sound(pattern, 50.0)
    for step in range(100):
        buzzer.turn(50.0 + step * 0.05)
        now = bool(factory.pin(5).state)
        heard += now and not before
        before = now
    assert heard == sounds
    assert not before
    assert not is_sounding((), 0.0)
    buzzer.close()


def test_a_press_is_taken_once_and_in_order(factory):
    buttons = Buttons({"pause": 6, "resume": 13, "hazard": 19}, factory)
    assert buttons.take() == []
    for pin in (19, 6):
        factory.pin(pin).drive_low()
        factory.pin(pin).drive_high()
    assert buttons.take() == ["hazard", "pause"]
    assert buttons.take() == []
    assert 0.0 < BOUNCE_S < 0.2
    buttons.close()


def test_a_pin_that_is_taken_is_said_in_one_sentence(factory):
    lamp = Lamp({"green": 17}, factory)
    with pytest.raises(GpioMissing, match="the lamp's red light cannot use pin 17"):
        Lamp({"red": 17}, factory)
    with pytest.raises(GpioMissing, match="the buzzer cannot use pin 17"):
        Buzzer(17, factory)
    with pytest.raises(GpioMissing, match="the button pause cannot use pin 17"):
        Buttons({"pause": 17}, factory)
    lamp.close()


def test_a_machine_without_pins_says_so(monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpigpio")
    with pytest.raises(GpioMissing):
        pin_factory()
