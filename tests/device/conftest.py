"""What the tests of cameras share."""

import threading

import pytest

from device.boot import now_s

LIMIT_S = 10.0


class Roll:
    """The exposures that were delivered with the moment of each, and a way to wait for more."""

    def __init__(self):
        self.came = []
        self._more = threading.Condition()

    def take(self, exposure):
        with self._more:
            self.came.append((now_s(), exposure))
            self._more.notify_all()

    def wait_for(self, count):
        with self._more:
            assert self._more.wait_for(lambda: len(self.came) >= count, LIMIT_S), f"only {len(self.came)} came"
        return self.came


@pytest.fixture
def roll():
    return Roll()
