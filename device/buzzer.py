"""The driver's buzzer: a few patterns, each for a change that matters. `is_sounding` is pure: the moment is passed in."""

from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

from device.gpio import GpioMissing

Pattern = tuple[float, ...]
"""Seconds of sound and of silence in turn, sound first."""

SHORT: Final[Pattern] = (0.12,)
TWO_SHORT: Final[Pattern] = (0.12, 0.15, 0.12)
LONG: Final[Pattern] = (0.7,)
THREE_LONG: Final[Pattern] = (0.7, 0.3, 0.7, 0.3, 0.7)


def is_sounding(pattern: Pattern, at_s: float) -> bool:
    """Whether it sounds, so many seconds after it began."""
    changes = [edge for edge in accumulate(pattern) if edge <= at_s]
    return at_s >= 0.0 and len(changes) < len(pattern) and len(changes) % 2 == 0


class Buzzer:
    """An active buzzer on one pin."""

    def __init__(self, pin: int, factory: Any) -> None:
        """Take the pin.

        Raises:
            GpioMissing: it cannot be used.
        """
        from gpiozero import DigitalOutputDevice  # noqa: PLC0415 - of the extra [pi]
        from gpiozero.exc import GPIOZeroError  # noqa: PLC0415

        try:
            self._pin = DigitalOutputDevice(pin, pin_factory=factory)
        except (GPIOZeroError, OSError, RuntimeError) as error:
            raise GpioMissing(f"the buzzer cannot use pin {pin}: {error}") from error
        self._pattern: Pattern = ()
        self._since_s = 0.0

    def sound(self, pattern: Pattern, now_s: float) -> None:
        """Begin a pattern; the one before is cut off."""
        self._pattern, self._since_s = pattern, now_s

    def turn(self, now_s: float) -> None:
        """Sound or be silent; called several times a second."""
        wanted = is_sounding(self._pattern, now_s - self._since_s)
        if bool(self._pin.value) != wanted:
            self._pin.on() if wanted else self._pin.off()

    def close(self) -> None:
        """Silent, and the pin is free."""
        with suppress(Exception):  # a pin that is gone is silent
            self._pin.off()
            self._pin.close()
