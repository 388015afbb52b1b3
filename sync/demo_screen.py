"""What somebody sees while the demo drives: a panel on a terminal, a line now and then elsewhere."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sync.demo import Sent
from sync.demo_ride import Moment

STORY: Final = {1: "a round through the town", 2: "the same street, a week later"}
ROUNDS: Final = len(STORY)
SHARES: Final = 4
"""Without a terminal there is a line after each quarter of a round."""
TO_KMH: Final = 3.6
WIDTH: Final = 84


class Progress:
    """Shows a demo on stderr: `with Progress(metres) as progress: progress.show(...)`."""

    def __init__(self, metres: float, console: Console | None = None) -> None:
        self._metres = metres
        self._console = console or Console(stderr=True)
        self._address = ""
        # What the panel's own thread draws is made in the thread that drives: the line's counts change while it draws.
        self._head, self._driven_m = "The street is laid out, the models are loaded.", 0.0
        self._facts: Mapping[str, str] = {}
        self._said = (0, 0)
        self._live = Live(get_renderable=self._panel, console=self._console, refresh_per_second=5, transient=True)

    def opened(self, address: str) -> None:
        """The map is served there."""
        self._address = address
        self._console.print(f"The town's map: {address}", highlight=False)
        if self._console.is_terminal:
            self._live.start()

    def show(self, moment: Moment, sent: Sent) -> None:
        """It has come so far."""
        self._head, self._driven_m = f"Round {moment.number} of {ROUNDS}: {STORY[moment.number]}", moment.driven_m
        self._facts = _facts(moment, sent, self._address)
        said = (moment.number, min(SHARES, int(moment.driven_m / self._metres * SHARES)))
        if not self._console.is_terminal and said != self._said:
            self._said = said
            self._console.print(_line(moment, sent), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the panel away."""
        self._live.stop()

    def _panel(self) -> Panel:
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim")
        facts.add_column()
        for name, value in self._facts.items():
            facts.add_row(name, Text(value))
        bar = ProgressBar(total=self._metres, completed=min(self._metres, self._driven_m), width=WIDTH - 4)
        parts = Text(self._head, style="bold"), Padding(bar, (0, 0, 1, 0)), facts
        return Panel(Group(*parts), title="ronde demo", subtitle="ctrl-C ends it", width=WIDTH)


def _facts(moment: Moment, sent: Sent, address: str) -> Mapping[str, str]:
    line, fix = moment.line, moment.fix
    found = ", ".join(f"{count} {label.replace('_', ' ')}" for label, count in line.tally.findings.most_common(5))
    dark = fix is not None and moment.driven_m - line.chooser.odometer_m > 40.0
    place = "waiting for satellites"
    if fix is not None:
        place = f"{fix.latitude_deg:.5f}, {fix.longitude_deg:.5f} (95 %: {fix.accuracy_m:.0f} m)"
    return {
        "place": "no satellites: a tunnel, photos are placed when they are back" if dark else place,
        "speed": f"{moment.speed_mps * TO_KMH:.0f} km/h, after {moment.driven_m:.0f} m",
        "photos": f"{line.spacing.frames} kept, one each {line.chooser.spacing_m:g} m; "
        f"{line.tally.hidden_regions} heads and plates hidden in them",
        "findings": found or "none yet",
        "sent": f"{sent.made - sent.waiting} events, {sent.bytes / 1000:.0f} kB; {sent.waiting} wait in the outbox",
        "map": address,
    }


def _line(moment: Moment, sent: Sent) -> str:
    line = moment.line
    told = (
        f"round {moment.number}/{ROUNDS} {moment.driven_m:5.0f} m",
        f"{moment.speed_mps * TO_KMH:2.0f} km/h",
        f"{line.spacing.frames} photos",
        f"{line.tally.hidden_regions} regions hidden",
        f"{sum(line.tally.findings.values())} findings",
        f"{sent.made - sent.waiting} events sent, {sent.bytes / 1000:.0f} kB",
        f"{sent.waiting} in the outbox",
    )
    return ", ".join(told)
