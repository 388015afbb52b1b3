"""When the buzzer sounds: for a change that a driver has to know of, and for nothing else. Pure: the moment is passed in."""

from typing import Final

from device.buzzer import LONG, SHORT, THREE_LONG, TWO_SHORT, Pattern
from sync.reasons import State

STAYS_S: Final = 5.0
"""A fault that goes by itself so soon is none for a driver."""

WAITS_S: Final = 60.0
"""So long it may wait for the satellites, in a tunnel or a garage; and so long it may take to start."""


class Bell:
    """Turned with each look. It sounds once for a fault and once for a long wait, and once more when it records again."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._since_s = 0.0
        self._told: State = "recording"
        self._starting = True

    def turn(self, state: State, now_s: float) -> Pattern | None:
        """What to sound now, if anything."""
        if state != self._state:
            self._starting = self._state is None
            self._state, self._since_s = state, now_s
        stayed_s = now_s - self._since_s
        due = {"fault": WAITS_S if self._starting else STAYS_S, "waiting": WAITS_S}.get(state, 0.0)
        if state == self._told or stayed_s < due:
            return None
        before, self._told = self._told, state
        if state == "waiting" and before == "fault":
            return None
        return {"fault": THREE_LONG, "waiting": TWO_SHORT, "paused": LONG, "recording": SHORT}[state]
