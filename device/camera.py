"""What a camera is to the rest of ronde."""

from collections.abc import Callable
from typing import Protocol

from device.frame import Exposure


class CameraStalled(Exception):
    """The camera delivers nothing, or cannot be opened; the message says what was seen."""


class Camera(Protocol):
    """A camera that runs freely: it pushes each exposure into `deliver`, from its own thread, until it is closed."""

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Open the camera and begin to deliver.

        Raises:
            CameraStalled: it cannot be opened.
        """
        ...

    def check(self, now_boot_s: float) -> None:
        """Say whether it is alive at `now_boot_s`; called each second.

        Raises:
            CameraStalled: no exposure for `STALL_S`; the caller closes it and starts it again.
        """
        ...

    def close(self) -> None:
        """Stop and release the device. Safe to call twice."""
        ...


STALL_S = 2.0
"""Seconds without an exposure after which a camera counts as stalled (docs/facts: a stall is silent)."""
