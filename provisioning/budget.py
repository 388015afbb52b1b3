"""What a unit may send over a link that costs money: the table `[budget]` of the configuration."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from provisioning.table import Table

Metered = Literal["auto", "always", "never"]
METERED: Final[tuple[Metered, ...]] = get_args(Metered)
MB: Final = 1_000_000
SSID: Final = re.compile(r".{1,32}", re.DOTALL)
CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Budget:
    """`metered`: whether the link costs money, or who says so. Over `day_mb` or `month_mb` pictures wait; nothing else does.

    Days and months are of UTC. `cost_per_mb` is in `currency`, for the estimate in health; None where nobody has said.
    """

    metered: Metered = "auto"
    free_wifi: tuple[str, ...] = ()
    day_mb: int = 50
    month_mb: int = 1000
    cost_per_mb: float | None = None
    currency: str = "EUR"

    @property
    def day_bytes(self) -> int:
        """In one day."""
        return self.day_mb * MB

    @property
    def month_bytes(self) -> int:
        """In one month."""
        return self.month_mb * MB


def budget_of(table: Table) -> Budget:
    """The `[budget]` table of a configuration."""
    default = Budget()
    budget = Budget(
        metered=table.choice("metered", METERED, default.metered),
        free_wifi=table.texts("free_wifi", SSID),
        day_mb=table.whole("day_mb", default.day_mb, 0, 100_000),
        month_mb=table.whole("month_mb", default.month_mb, 0, 1_000_000),
        cost_per_mb=table.number_or_none("cost_per_mb", 0.0, 1000.0),
        currency=table.text("currency", default.currency, CURRENCY),
    )
    table.done()
    return budget
