"""Which part of the unit a reason is about: what a driver can do about it, and how often the lamp blinks. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from device import refusal
from sync.failure import Code
from sync.refusal import Alarm

Part = Literal["gps", "camera", "card", "link", "box"]

GPS: Final = frozenset({"gpsd_lost", "no_fix", *get_args(refusal.Reason)})
CAMERA: Final = frozenset({"camera_stalled", "mount_moved", "covered", "dark", "glare", "dirty_lens", "blur", "wet"})
CARD: Final = frozenset({"disk_low", *(code for code in get_args(Code) if code.startswith("disk_"))})
LINK: Final = frozenset({*get_args(Alarm), "certificate_expires", "certificate_expired"})

BLINKS: Final[Mapping[Part, int]] = MappingProxyType({"gps": 1, "camera": 2, "card": 3, "box": 4, "link": 5})
"""How often the amber light blinks before it rests."""


def part_of(reason: str) -> Part:
    """The part; what is not known is the box itself."""
    if reason in GPS:
        return "gps"
    if reason in CAMERA:
        return "camera"
    if reason in CARD:
        return "card"
    return "link" if reason in LINK else "box"
