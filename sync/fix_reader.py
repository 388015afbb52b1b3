"""Reads fixes in a thread of its own, through losses of gpsd, so that the line never waits for the receiver."""

import queue
import threading

from device.backoff import Backoff
from device.boot import now_s
from device.fix import Fix, FixSource, GpsLost
from provisioning.log import events

WAIT_S = 1.0
"""How long one read waits; so long a close may take."""

LONGEST_S = 10.0
"""Longest wait between two attempts to reach gpsd: it is on this machine."""

log = events("fixes")


class FixReader:
    """Reads fixes in a thread of its own and puts them into a queue; goes on through losses of gpsd until it is closed.

    `lost` is why gpsd is not reached, None where it is. `turned_s` is when (boot clock) it last had a fix or the lack of one.
    """

    def __init__(self, source: FixSource) -> None:
        self.fixes: queue.SimpleQueue[Fix] = queue.SimpleQueue()
        self.lost: str | None = None
        self.turned_s = now_s()
        self._error: BaseException | None = None
        self._source = source
        self._stop = threading.Event()
        self._backoff = Backoff(longest_s=LONGEST_S)
        self._thread = threading.Thread(target=self._run, name="fixes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading; waits for the read that is going on, up to `WAIT_S`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def check(self) -> None:
        """Raise what ended the thread, if something did: a bug, which must end the process too."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._error = error
            raise

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                fix = self._source.next_fix(WAIT_S)
            except GpsLost as error:
                if self.lost != str(error):
                    log.warning("gpsd_lost", reason=str(error))
                self.lost = str(error)
                self.turned_s = now_s()
                self._stop.wait(self._backoff.next_s())
                continue
            self.turned_s = now_s()
            self.lost = None
            if fix is not None:
                self._backoff.reset()
                self.fixes.put(fix)
