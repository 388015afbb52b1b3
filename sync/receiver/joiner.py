"""Joins rounds to what is known, beside the receiver: one round a step, again whenever more of it has come.

A round is joined when nothing of it has arrived for two minutes, and while it goes on every ten. It need not be whole: what comes
later is joined then, and what was joined stays. A join that is cut off has written nothing and is done again.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Final

from provisioning.log import events
from sync.event import iso
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.fate import Fate, begin, go_on, whole
from sync.receiver.join_store import Around, Changed, Due, JoinStore
from sync.receiver.joining import join
from sync.receiver.seen import State
from sync.receiver.visits import Visited
from sync.rest import Rest

QUIET_S: Final = 120.0
AGAIN_S: Final = 600.0
LOOK_S: Final = 5.0

log = events("receiver")


class Outcome(Enum):
    """What one step did."""

    JOINED = "joined"
    IDLE = "idle"
    OVERTAKEN = "overtaken"
    """Another receiver joined something meanwhile; the next step tries again."""
    FAILED = "failed"
    RESTED = "rested"


class Joiner:
    """`opened` gives the database whenever it is needed anew; `clock` is seconds that never jump, `now` the time of day."""

    def __init__(
        self,
        opened: Callable[[], JoinStore],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        quiet_s: float = QUIET_S,
    ) -> None:
        self._opened = opened
        self._store: JoinStore | None = None
        self._rest = Rest("receiver", log, clock)
        self._now = now
        self._quiet_s = quiet_s
        self.findings = 0

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop."""
        try:
            while not stop.is_set():
                if self.step() is not Outcome.JOINED:
                    stop.wait(max(LOOK_S, self._rest.left_s()))
        finally:
            self.close()

    def close(self) -> None:
        """Closes the database."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def step(self) -> Outcome:
        """Joins the round that waits longest, if there is one."""
        if self._rest.left_s() > 0:
            return Outcome.RESTED
        try:
            outcome = self._join()
        except DatabaseFailed as error:
            self.close()
            self._rest.begin(error)
            return Outcome.FAILED
        self._rest.over()
        return outcome

    def _join(self) -> Outcome:
        self._store = self._store or self._open()
        at = self._now()
        due = self._store.due(_before(at, self._quiet_s), _before(at, AGAIN_S))
        if due is None:
            return Outcome.IDLE
        findings = join_round(self._store, due, iso(at))
        if findings is None:
            return Outcome.OVERTAKEN
        self.findings += findings
        return Outcome.JOINED

    def _open(self) -> JoinStore:
        try:
            return self._opened()
        except DatabaseRefused as error:  # the receiver has opened it: somebody may mend it
            raise DatabaseFailed("disk_error", str(error)) from error


def join_round(store: JoinStore, due: Due, at: str) -> int | None:
    """Joins one round; how many of its findings were joined for the first time, None where another receiver came in between."""
    around = store.read(due)
    joined = join(around.round, around.known(), around.next_number)
    by_thing: dict[int, list[Visited]] = {}
    for number, visit in joined.visits:
        by_thing.setdefault(number, []).append(visit)
    changed = changes(around, by_thing, joined.new, store)
    if not store.write(due, around.version, changed, at):
        return None
    findings = sum(visit.seen for _, _, visit in changed.visits)
    log.info("round_joined", findings=findings, new=len(changed.new), changed=len(changed.things))
    return findings


def changes(around: Around, by_thing: Mapping[int, Sequence[Visited]], new: Mapping[int, str], store: JoinStore) -> Changed:
    """What a round's visits change. What stands there already is left as it is."""
    things, visited, renamed, forgotten = {}, [], [], []
    for number, visits in by_thing.items():
        fresh = sorted((each for each in visits if _is_fresh(around, number, each)), key=lambda each: (each.at, each.n))
        if not fresh:
            continue
        thing, unseen = around.things.get(number), (number, 0) in around.stored
        before = thing.fate if thing else None
        if before is None or not (unseen or fresh[0].at < before.visited_at):
            things[number], told = _gone_on(before, fresh)
        else:
            kept = [(state, each) for state, each in store.history(number) if not (unseen and _is_replaced(around, each))]
            things[number], told, other = _anew(kept, fresh)
            renamed += [(number, state, visit) for state, visit in other]
            forgotten += [number] if unseen and not any(each.n == 0 for each in fresh) else []
        visited += [(number, state, visit) for state, visit in told]
    return Changed(
        [(number, new[number], fate) for number, fate in things.items() if number in new],
        [(number, fate) for number, fate in things.items() if number not in new],
        visited,
        renamed,
        forgotten,
    )


def _is_fresh(around: Around, number: int, visit: Visited) -> bool:
    """It does not stand there yet, or otherwise. A finding that was joined stays as it was joined."""
    stored = around.stored.get((number, visit.n))
    return stored is None or (not visit.seen and stored != (visit.reason, visit.patch))


def _is_replaced(around: Around, visit: Visited) -> bool:
    """That this round did not find a thing, which it has found now, or did not find for another reason."""
    return visit.n == 0 and visit.round == (around.round.source, around.round.round_id)


def _gone_on(fate: Fate | None, visits: Sequence[Visited]) -> tuple[Fate, Sequence[tuple[State, Visited]]]:
    """A thing after later visits, and what each made of it."""
    told: list[tuple[State, Visited]] = []
    for visit in visits:
        fate, state = begin(visit) if fate is None else go_on(fate, visit)
        told.append((state, visit))
    assert fate is not None
    return fate, told


def _anew(
    kept: Sequence[tuple[State, Visited]], fresh: Sequence[Visited]
) -> tuple[Fate, Sequence[tuple[State, Visited]], Sequence[tuple[State, Visited]]]:
    """A thing gone through anew; what the fresh visits made of it, and those of before that made something else of it now."""
    before = {(each.round, each.n): state for state, each in kept}
    fate, told = whole([*(each for _, each in kept), *fresh])
    assert fate is not None  # a round has seen it, or it were not known
    new = {(each.round, each.n) for each in fresh}
    return (
        fate,
        [(state, visit) for visit, state in told if (visit.round, visit.n) in new],
        [(state, visit) for visit, state in told if before.get((visit.round, visit.n), state) != state],
    )


def _before(at: datetime, seconds: float) -> str:
    return iso(at - timedelta(seconds=seconds))
