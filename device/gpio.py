"""The pins of the unit's header, by gpiozero; where there are none, that is said once and everything else goes on."""

import warnings
from typing import Any


class GpioMissing(Exception):
    """There are no pins here, or they cannot be used: one sentence that says why."""


def pin_factory() -> Any:
    """What gpiozero makes its devices with, on this machine.

    Raises:
        GpioMissing: gpiozero is not installed, or finds no pins.
    """
    try:
        from gpiozero import Device  # noqa: PLC0415 - of the extra [pi]: a laptop needs none of it
        from gpiozero.exc import BadPinFactory  # noqa: PLC0415
    except ImportError:
        raise GpioMissing("gpiozero is not installed (pip install 'ronde[pi]')") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one for each kind of pins that it tries in vain
        try:
            return Device._default_pin_factory()  # noqa: SLF001 - there is no other way to ask without making a device
        except (BadPinFactory, ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()
            raise GpioMissing(f"gpiozero finds no pins: {reason[0] if reason else type(error).__name__}") from error
