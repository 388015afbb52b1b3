"""The driver's buttons: what was pressed since the last look. A button lies between its pin and ground."""

import queue
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal

from device.gpio import GpioMissing

Button = Literal["pause", "resume", "hazard"]

BOUNCE_S: Final = 0.05
"""A contact that opens and closes again within so long is one press."""


class Buttons:
    """Presses are collected by gpiozero's thread and taken by ours."""

    def __init__(self, pins: Mapping[Button, int], factory: Any) -> None:
        """Take the pins.

        Raises:
            GpioMissing: a pin cannot be used.
        """
        from gpiozero import Button as Contact  # noqa: PLC0415 - of the extra [pi]
        from gpiozero.exc import GPIOZeroError  # noqa: PLC0415

        self._pressed: queue.SimpleQueue[Button] = queue.SimpleQueue()
        self._contacts: list[Any] = []
        try:
            for name, pin in pins.items():
                contact = Contact(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory)
                contact.when_pressed = partial(self._pressed.put, name)
                self._contacts.append(contact)
        except (GPIOZeroError, OSError, RuntimeError) as error:
            self.close()
            raise GpioMissing(f"the button {name} cannot use pin {pin}: {error}") from error

    def take(self) -> list[Button]:
        """What was pressed since the last call, in order."""
        taken: list[Button] = []
        with suppress(queue.Empty):
            while True:
                taken.append(self._pressed.get_nowait())
        return taken

    def close(self) -> None:
        """Let the pins go."""
        for contact in self._contacts:
            with suppress(Exception):  # a pin that is gone presses nothing
                contact.close()
        self._contacts.clear()
