"""The unit of a row: its folder, its configuration, and its processes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from provisioning.settings import Settings, Unit, read_settings
from sync.database import open_database, transaction
from sync.event import event_id
from sync.faults.authority import Paper
from sync.faults.child import Child, ronde
from sync.faults.ground import Ground, until
from sync.faults.journal import Journal, waiting
from sync.faults.row import Plan
from sync.faults.town import Town
from sync.faults.writer import bare_event
from sync.outbox import Outbox

FLEET = "faults"
DRAINED_S = 180.0
ROUND: Final = "00000000-1"
PUTS: Final = "0000000f-{}"
BATCH = 2_000
"""Rows put in one transaction where only their number matters."""


class Car:
    """A unit whose backend is `town`; `port` is the broker's unless something lies between."""

    def __init__(
        self, ground: Ground, town: Town, name: str = "car-01", state: Path | None = None, *, url: str | None = None
    ) -> None:
        self.ground = ground
        self.town = town
        self.state = state or ground.folder_of(f"state-{name}")
        self.journal = Journal()
        self.streams: tuple[str, ...] = ("finding", "track")
        self._paper: Paper = town.broker.authority.issue(f"{FLEET}/{name}", name)
        self._name = name
        self._puts = 0
        self.config = ground.folder / f"{name}.toml"
        self.configure(url or town.broker.url)

    def configure(self, url: str, more: str = "") -> None:
        """Write the configuration."""
        ca = self.town.broker.authority.ca
        self.config.write_text(
            f'[unit]\nfleet = "{FLEET}"\nname = "{self._name}"\nstate = "{self.state}"\n{more}'
            f'[[backend]]\nname = "roads"\nurl = "{url}"\nca = "{ca}"\ncert = "{self._paper.cert}"\nkey = "{self._paper.key}"\n'
            f"streams = {json.dumps(self.streams)}\n",
            encoding="utf-8",
        )

    @property
    def settings(self) -> Settings:
        """As the processes read it."""
        return read_settings(self.config)

    @property
    def unit(self) -> Unit:
        """Who it is."""
        return self.settings.unit

    def write(self, *options: object, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Child:
        """Start a writer, whose lines go into the journal; `before` is a command that runs it (strace)."""
        argv = [*before, *ronde()[:1], "-m", "sync.faults.writer", "--config", str(self.config), *map(str, options)]
        return Child(self.ground, argv, line=self.journal.line, environment=environment)

    def sync(
        self,
        *options: object,
        said: Callable[[str], None] = lambda _: None,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start `ronde sync`; `said` is told each line of its log."""
        return Child(
            self.ground, [*before, *ronde("sync", "--config", self.config, *options)], said=said, environment=environment
        )

    def fill(self, count: int, round_id: str = ROUND) -> None:
        """So many events into its outbox, many in a transaction."""
        db = open_database(self.state / "ronde.db")
        try:
            outbox, settings = Outbox(db), self.settings
            for first in range(0, count, BATCH):
                with transaction(db):
                    for n in range(first, min(count, first + BATCH)):
                        outbox.put(bare_event(settings.unit, round_id, n), settings.backends)
        finally:
            db.close()

    def put(self, count: int) -> None:
        """The same, each time in a round of their own; the journal knows them as durable."""
        self._puts += 1
        round_id = PUTS.format(self._puts)
        self.fill(count, round_id)
        ids = [event_id(self.unit, "finding", round_id, n) for n in range(count)]
        self.journal.events.update(ids)
        self.journal.order += ids

    def waiting(self) -> int:
        """Rows in its outbox."""
        return waiting(self.state)

    def drained(self, within_s: float = DRAINED_S) -> float:
        """Waits until its outbox is empty; the seconds it took."""
        return until(lambda: self.waiting() == 0, "the outbox is empty", within_s)


def one(plan: Plan) -> tuple[Town, Car]:
    """A town with one car."""
    town = Town(plan.ground)
    return town, Car(plan.ground, town)
