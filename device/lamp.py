"""The driver's lamp: three lights, one at a time, and how often it blinks says why. `is_lit` is pure: the moment is passed in."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from device.gpio import GpioMissing

Colour = Literal["green", "amber", "red"]
COLOURS: Final[tuple[Colour, ...]] = ("green", "amber", "red")

ON_S: Final = 0.2
OFF_S: Final = 0.3
REST_S: Final = 1.5
"""Blinks are counted by a driver who glances: they are slow, and there is a rest after each group."""

TEST_S: Final = 0.6
"""How long each light shows at the start, so that a broken one is seen."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What the lamp shows. No colour: dark. `blinks` 0: it does not blink."""

    colour: Colour | None = None
    blinks: int = 0


def is_lit(signal: Signal, at_s: float) -> bool:
    """Whether its light is on, so many seconds after the signal began."""
    if signal.colour is None:
        return False
    if signal.blinks == 0:
        return True
    within_s = at_s % (signal.blinks * (ON_S + OFF_S) + REST_S)
    return within_s < signal.blinks * (ON_S + OFF_S) and within_s % (ON_S + OFF_S) < ON_S


def in_test(at_s: float) -> Signal | None:
    """The lamp's test: what it shows so long after the start; None when the test is over."""
    number = int(at_s // TEST_S)
    return Signal(COLOURS[number]) if 0 <= number < len(COLOURS) else None


class Lamp:
    """Lights on pins; one that has no pin is not there."""

    def __init__(self, pins: Mapping[Colour, int], factory: Any) -> None:
        """Take the pins.

        Raises:
            GpioMissing: a pin cannot be used.
        """
        from gpiozero import LED  # noqa: PLC0415 - of the extra [pi]
        from gpiozero.exc import GPIOZeroError  # noqa: PLC0415

        self._lights: dict[Colour, Any] = {}
        self._signal = Signal()
        self._since_s = 0.0
        try:
            for colour, pin in pins.items():
                self._lights[colour] = LED(pin, pin_factory=factory)
        except (GPIOZeroError, OSError, RuntimeError) as error:
            self.close()
            raise GpioMissing(f"the lamp's {colour} light cannot use pin {pin}: {error}") from error

    def show(self, signal: Signal, now_s: float) -> None:
        """Show it; called several times a second, since the lamp has no clock of its own."""
        if signal != self._signal:
            self._signal, self._since_s = signal, now_s
        on = is_lit(signal, now_s - self._since_s)
        for colour, light in self._lights.items():
            wanted = on and colour == signal.colour
            if bool(light.is_lit) != wanted:
                light.on() if wanted else light.off()

    def close(self) -> None:
        """Dark, and the pins are free."""
        for light in self._lights.values():
            with suppress(Exception):  # a pin that is gone is dark
                light.off()
                light.close()
        self._lights.clear()
