"""Work in threads that the end of the process does not wait for: one that calls a broker which does not answer holds nothing."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Final

END_S: Final = 3.0
"""Of the five seconds that systemd gives (TimeoutStopSec); a call to a broker may wait for ten."""


def started(work: Callable[[], None], name: str) -> "Future[None]":
    """Does the work in a thread; the future says how it ended."""
    future: Future[None] = Future()

    def do() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the future is asked
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=do, name=name, daemon=True).start()
    return future


def have_ended(running: "Sequence[Future[None]]", *, at_once: bool) -> bool:
    """Waits until all have ended, or `at_once` for a while; whether they have."""
    return not wait(running, timeout=END_S if at_once else None).not_done
