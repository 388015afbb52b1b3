"""What a service tells systemd: that it is ready, and that it works (sd_notify(3)). Nothing where nobody listens."""

import os
import socket
from collections.abc import Mapping


class Supervisor:
    """Speaks to the socket that systemd names in the environment."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is abstract: its first byte is 0.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._is_ready = False

    def alive(self) -> None:
        """It works: feeds the watchdog; the first time it is ready as well. Call it with evidence in hand, not from a timer."""
        self._tell("WATCHDOG=1" if self._is_ready else "READY=1\nWATCHDOG=1")
        self._is_ready = True

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.connect(self._address)
            out.sendall(state.encode("ascii"))
