"""A gpsd for rows that drive the real capture: it tells of a car in a large circle, as often and as fast as is wanted."""

import contextlib
import json
import math
import socket
import threading
import time
from datetime import datetime, timezone
from typing import Final

from device.earth import offset

HOME: Final = (43.55, 7.01)
TURN_M = 2_000.0
"""The car drives in a circle so large: nothing is left and nothing is reached."""
GREETING: Final = b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}\r\n'
WATCH: Final = (
    b'{"class":"DEVICES","devices":[{"class":"DEVICE","path":"/dev/ttyACM0"}]}\r\n{"class":"WATCH","enable":true,"json":true}\r\n'
)


class Satellites:
    """Serves TPV reports at `rate_hz` of a car at `speed_mps`, to any number of connections."""

    def __init__(self, speed_mps: float, rate_hz: float) -> None:
        self._speed_mps, self._period_s = speed_mps, 1.0 / rate_hz
        self._began_s = time.monotonic()
        self._closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, name="satellites", daemon=True).start()

    def close(self) -> None:
        """No more reports."""
        self._closed.set()
        self._socket.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="satellites-to-one", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(GREETING)
            connection.recv(4096)
            connection.sendall(WATCH)
            due_s = time.monotonic()
            while not self._closed.wait(max(0.0, due_s - time.monotonic())):
                connection.sendall(json.dumps(self._report()).encode() + b"\r\n")
                due_s += self._period_s

    def _report(self) -> dict[str, object]:
        driven_m = self._speed_mps * (time.monotonic() - self._began_s)
        angle = driven_m / TURN_M
        latitude_deg, longitude_deg = offset(*HOME, TURN_M * math.sin(angle), TURN_M * (1.0 - math.cos(angle)))
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        place = {
            "lat": latitude_deg,
            "lon": longitude_deg,
            "speed": self._speed_mps,
            "track": math.degrees(math.pi / 2 - angle) % 360.0,
        }
        return {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "time": now, **place, "eph": 6.0}
