"""Looks at the unit again and again, and tells whoever listens: the page, the lamp and the buzzer see the same."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from device.boot import now_s
from sync.panel.glance import Glance, Today, look

LOOK_S: Final = 0.5
COUNT_S: Final = 5.0
"""What was done today is counted more seldom: it costs more and hurries nobody."""

HANGS_S: Final = 5.0
"""A look that has not come back for so long hangs in the disk, and what it saw last is no news."""


class Watch:
    """A thread that looks; `latest` never waits for it."""

    def __init__(self, file: Path, heard: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._heard = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._glance = Glance("fault", ("capture_not_running",), looked_s=now_s())
        self._today: Today | None = None
        self._counted_s = 0.0

    def start(self) -> None:
        """Look once, and begin."""
        self.step()
        self._thread.start()

    def close(self) -> None:
        """No more looks; one that hangs is left behind."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def latest(self) -> Glance:
        """What was seen last; where that is too long ago, that."""
        glance = self._glance
        if now_s() - glance.looked_s > HANGS_S:
            return replace(glance, state="fault", reasons=("database_locked",))
        return glance

    def step(self) -> Glance:
        """One look."""
        now = now_s()
        count = self._today is None or now - self._counted_s >= COUNT_S
        glance = look(self._file, midnight(), None if count else self._today)
        if count or glance.today is None:
            self._counted_s, self._today = now, glance.today
        self._glance = glance
        self._heard()
        return glance

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.step()


def midnight() -> datetime:
    """When today began where this machine is, in UTC."""
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(timezone.utc)
