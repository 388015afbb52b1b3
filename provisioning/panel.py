"""The `[panel]` table: where the driver's page is served, and which pins the lamp, the buzzer and the buttons are on."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from provisioning.table import Table

OWN_WIFI: Final = "10.42.0.1"
"""The address that NetworkManager gives an access point of its own."""

MOST_PIN: Final = 27
"""Of a Raspberry Pi's header, as Broadcom counts."""

PINS: Final = ("green_pin", "amber_pin", "red_pin", "buzzer_pin", "pause_pin", "resume_pin", "hazard_pin")


@dataclass(frozen=True, slots=True)
class Panel:
    """`address` is the unit's own Wi-Fi's; the page is served there and on loopback, and nowhere else. Pins are GPIO numbers."""

    address: str = OWN_WIFI
    port: int = 8080
    green_pin: int | None = None
    amber_pin: int | None = None
    red_pin: int | None = None
    buzzer_pin: int | None = None
    pause_pin: int | None = None
    resume_pin: int | None = None
    hazard_pin: int | None = None

    @property
    def has_pins(self) -> bool:
        """Whether anything is wired."""
        return any(getattr(self, name) is not None for name in PINS)


def panel_of(table: Table) -> Panel:
    """The settings that a `[panel]` table holds.

    Raises:
        SettingsError: the page would be open to others, or two things are on one pin.
    """
    default = Panel()
    address = table.text("address", default.address)
    _check_address(table, address)
    pins = {name: table.whole_or_none(name, 0, MOST_PIN) for name in PINS}
    panel = Panel(address, table.whole("port", default.port, 1024, 65535), **pins)
    table.done()
    taken: dict[int, str] = {}
    for name, pin in pins.items():
        if pin is not None and pin in taken:
            raise table.refused(name, f"is {pin}, where {taken[pin]} is already")
        if pin is not None:
            taken[pin] = name
    return panel


def _check_address(table: Table, text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise table.refused("address", f"is {text!r}; allowed: an address of this unit's own Wi-Fi, as {OWN_WIFI}") from None
    if address.is_unspecified:
        raise table.refused("address", f"is {text}, so every network would see the page; allowed: the address of its own Wi-Fi")
    if not address.is_private:
        raise table.refused("address", f"is {text}, an address of the internet; allowed: a private one, as {OWN_WIFI}")
