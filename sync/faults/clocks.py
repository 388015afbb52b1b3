"""Wrong clocks: a unit that starts in 1970, in 2046 or in the second before a limit, and clocks that jump while it drives.

Writer and sync run under libfaketime, which gives them another wall clock; the boot clock stays true, as it does in a car. With a
clock that is years off no broker's certificate is valid: events have to wait, and go when the clock is right, without a restart.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from sync.faults.car import Car
from sync.faults.ground import pause, until
from sync.faults.journal import audit_backend, audit_unit
from sync.faults.need import FAKETIME, MOSQUITTO, faketime_library
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town, rows

EVERY_S = 0.1
EACH_S = 1.2
"""How long the clock stays as it is."""
WITHIN_S = 90.0
LANES = 2
"""What waited when the connection began, and what came after: each keeps its order, and neither waits for the other."""
OFF_YEARS_S: Final = 20 * 365.25 * 86_400
WEEKS_1024_S: Final = 1024 * 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """What the clock says first and then: a date, or seconds added to the true time (None: the true time)."""

    first: str | float | None
    then: str | float | None = None
    zone: str = "UTC"


CASES: Final[Mapping[str, Case]] = {
    "1970": Case("1970-01-01 00:00:05"),
    "2019": Case("2019-06-01 12:00:00"),
    "2038, over the limit of 32 bits": Case("2038-01-19 03:14:06"),
    "2046": Case("2046-02-03 04:05:06"),
    "back 20 years": Case(None, -OFF_YEARS_S),
    "on 20 years": Case(None, OFF_YEARS_S),
    "back 1024 weeks": Case(None, -WEEKS_1024_S),
    "on 1024 weeks": Case(None, WEEKS_1024_S),
    "1970, then 2046": Case("1970-01-01 00:00:05", "2046-02-03 04:05:06"),
    "2046, then 1970": Case("2046-02-03 04:05:06", "1970-01-01 00:00:05"),
    "back an hour": Case(None, -3600.0),
    "on an hour": Case(None, 3600.0),
    "back a second": Case(None, -1.0),
    "on 40 days, longer than photos are kept": Case(None, 40 * 86_400.0),
    "back 40 days": Case(40 * 86_400.0, None),
    "a leap second": Case("2016-12-31 23:59:58"),
    "summer time begins": Case("2026-03-29 00:59:58", zone="Europe/Paris"),
    "summer time ends": Case("2026-10-25 00:59:58", zone="Europe/Paris"),
    "29 February": Case("2028-02-28 23:59:58"),
    "a year ends": Case("2026-12-31 23:59:58"),
}


def run(plan: Plan, tally: Tally) -> None:
    """A unit for each case: drives with the wrong clock, then with the next, then with the true one."""
    town = Town(plan.ground)
    names = list(CASES)
    for number in range(plan.load):
        name = names[number % len(names)]
        car = Car(plan.ground, town, f"car-{number:02d}")
        car.streams = ("finding", "track", "health")
        car.configure(town.broker.url)
        clock = _Clock(plan.ground.folder / f"clock-{number}", CASES[name])
        tally.injected += _drive(car, clock)
        _judge(car, town, tally, name)
    audit_health(town, tally)
    tally.measured["different clocks"] = min(plan.load, len(names))


class _Clock:
    """A wall clock in a file that libfaketime reads at each look at it."""

    def __init__(self, file: Path, case: Case) -> None:
        library = faketime_library()
        assert library is not None
        self._file, self._case = file, case
        self._set(case.first)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": case.zone,
        }

    def then(self) -> None:
        """The second clock of the case."""
        self._set(self._case.then if self._case.then is not None else self._case.first if self._is_date() else None)

    def true(self) -> None:
        """The right time from now on."""
        self._set(None)

    def _is_date(self) -> bool:
        return isinstance(self._case.first, str)

    def _set(self, clock: str | float | None) -> None:
        """Offsets go on from now; a date is turned into one."""
        offset_s = 0.0 if clock is None else clock
        if isinstance(offset_s, str):
            wanted = datetime.strptime(offset_s, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            offset_s = (wanted - datetime.now(timezone.utc)) / timedelta(seconds=1)
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+.3f}\n", encoding="ascii")
        new.replace(self._file)


def _drive(car: Car, clock: _Clock) -> bool:
    """Whether the clock took effect: what the unit wrote has the wrong time in it."""
    writer = car.write("--every-s", EVERY_S, environment=clock.environment)
    sync = car.sync(environment=clock.environment)
    for change in (clock.then, clock.true):
        _await_frames(car)
        pause(EACH_S)
        change()
    _await_frames(car)
    _await_frames(car)
    writer.stop()
    car.drained(WITHIN_S)
    sync.stop()
    now = datetime.now(timezone.utc)
    times = [taken_at for (taken_at,) in rows(car.state / "ronde.db", "SELECT taken_at FROM frame")]
    ages_s = [abs((now - datetime.fromisoformat(each.replace("Z", "+00:00"))).total_seconds()) for each in times]
    return max(ages_s) > 0.9 and len(times) > 3


def _await_frames(car: Car) -> None:
    kept = car.journal.kept
    until(lambda: car.journal.kept > kept, "frames are kept", WITHIN_S)


def _judge(car: Car, town: Town, tally: Tally, name: str) -> None:
    """All photos are there, all events are there once and in the order in which they were made."""
    before = len(tally.wrong)
    audit_unit(car.journal, car.state, tally)
    stored = [id_ for (id_,) in rows(town.file, "SELECT id FROM event WHERE type = 'ronde.finding.v1' ORDER BY rowid")]
    mine = [each for each in stored if each in car.journal.events]
    lanes = lanes_of([car.journal.order.index(each) for each in mine])
    tally.check(lanes <= LANES, f"the events arrived in an order that takes {lanes} lanes, each in the order of their making")
    town_only = Tally()
    audit_backend(car.journal, car.unit, town, town_only)
    tally.committed += town_only.committed
    tally.lost += town_only.lost
    tally.twice += town_only.twice
    tally.wrong[before:] = [f"{name}: {sentence}" for sentence in tally.wrong[before:]]


def lanes_of(numbers: Sequence[int]) -> int:
    """The smallest number of ascending sequences that `numbers` is a mixture of (greedily, which is the best that can be had)."""
    newest: list[int] = []  # of each lane, descending
    for number in numbers:
        lane = next((n for n, last in enumerate(newest) if last < number), None)
        if lane is None:
            newest.append(number)
        else:
            newest[lane] = number
    return len(newest)


def audit_health(town: Town, tally: Tally) -> None:
    """No age, count or duration that any unit has told is negative."""
    told = [json.loads(data) for (data,) in rows(town.file, "SELECT data FROM event WHERE type = 'ronde.health.v1'")]
    negative = [f"{key} {value}" for data in told for key, value in _numbers(data) if value < 0]
    tally.check(not negative, f"{len(negative)} numbers of health are negative: {negative[:2]}")
    tally.check(bool(told), "no unit has told its health")
    tally.measured["healths"] = len(told)


def _numbers(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            found += _numbers(value)
        elif isinstance(value, int | float) and key != "temperature_c":
            found.append((key, value))
    return found


ROW = Row(
    "clocks",
    "1970, 2019, 2038, 2046, jumps of 20 years and 1024 weeks, leap second, summer time",
    3,
    40,
    (MOSQUITTO, FAKETIME),
    run,
)
