"""What is wired to the unit: the lamp and the buzzer show what the page shows, the buttons ask for what the page's do."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from device.boot import now_s
from device.buttons import Button, Buttons
from device.buzzer import SHORT, THREE_LONG, TWO_SHORT, Buzzer
from device.gpio import GpioMissing, pin_factory
from device.lamp import COLOURS, Colour, Lamp, Signal, in_test
from provisioning.log import events
from provisioning.panel import Panel
from sync.panel.bell import Bell
from sync.panel.desk import Desk, Taken
from sync.panel.glance import Glance
from sync.panel.trouble import BLINKS, part_of

TICK_S: Final = 0.05
"""A lamp that blinks is turned so often."""

BUTTONS: Final[tuple[Button, ...]] = ("pause", "resume", "hazard")

log = events("panel")


def signal_of(glance: Glance) -> Signal:
    """Green: it records. Amber: it waits, and the blinks say for what. Dark: paused. Red: somebody has to look at it."""
    if glance.state == "recording":
        return Signal("green")
    if glance.state == "paused":
        return Signal()
    if glance.state == "fault":
        return Signal("red")
    return Signal("amber", BLINKS[part_of(glance.reasons[0])] if glance.reasons else 0)


class Fittings:
    """A thread that turns them. Where there are no pins it is silent, and the page serves alone."""

    def __init__(self, panel: Panel, latest: Callable[[], Glance], desk: Desk, factory: Any = None) -> None:
        """Take the pins; `factory` is gpiozero's, found where it is None.

        Raises:
            GpioMissing: pins are configured, and cannot be used.
        """
        self._latest = latest
        self._desk = desk
        self._bell = Bell()
        self._began_s = now_s()
        self._lamp: Lamp | None = None
        self._buzzer: Buzzer | None = None
        self._buttons: Buttons | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fittings", daemon=True)
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._asked: list[tuple[Button, Future[Taken]]] = []
        try:
            self._take_pins(panel, factory if factory is not None else pin_factory())
        except GpioMissing:
            self.close()
            raise

    def _take_pins(self, panel: Panel, factory: Any) -> None:
        lights: dict[Colour, int] = {colour: pin for colour in COLOURS if (pin := getattr(panel, f"{colour}_pin")) is not None}
        contacts: dict[Button, int] = {name: pin for name in BUTTONS if (pin := getattr(panel, f"{name}_pin")) is not None}
        self._lamp = Lamp(lights, factory) if lights else None
        self._buzzer = Buzzer(panel.buzzer_pin, factory) if panel.buzzer_pin is not None else None
        self._buttons = Buttons(contacts, factory) if contacts else None

    def start(self) -> None:
        """Test the lamp, and begin."""
        self._thread.start()

    def step(self, now: float) -> None:
        """Show and sound what is so now, and take what was pressed."""
        glance = self._latest()
        if self._lamp is not None:
            self._lamp.show(in_test(now - self._began_s) or signal_of(glance), now)
        for name in self._buttons.take() if self._buttons is not None else []:
            self._asked.append((name, self._clerk.submit(self._desk.press, name)))
        pattern = self._bell.turn(glance.state, now)
        for name, answer in [asked for asked in self._asked if asked[1].done()]:
            self._asked.remove((name, answer))
            pattern = self._answered(name, answer.result(), glance)
        if self._buzzer is not None:
            if pattern is not None:
                self._buzzer.sound(pattern, now)
            self._buzzer.turn(now)

    def _answered(self, name: Button, taken: Taken, glance: Glance) -> tuple[float, ...]:
        """A finger has to hear that it was taken: two short for a hazard, one for the others, three long where it was not."""
        if taken.request is None or (name == "hazard" and glance.paused_at is not None):
            return THREE_LONG
        return TWO_SHORT if name == "hazard" else SHORT

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            self.step(now_s())

    def close(self) -> None:
        """Dark and silent."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        self._clerk.shutdown(wait=False, cancel_futures=True)
        for each in (self._lamp, self._buzzer, self._buttons):
            if each is not None:
                each.close()


def fittings_of(panel: Panel, latest: Callable[[], Glance], desk: Desk, factory: Any = None) -> Fittings | None:
    """The fittings of a configuration; None where nothing is wired, or nothing can be used, which is said once."""
    if not panel.has_pins:
        return None
    try:
        return Fittings(panel, latest, desk, factory)
    except GpioMissing as error:
        log.warning("pins_missing", reason=str(error))
        return None
