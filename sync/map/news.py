"""What is new at the receiver, as server-sent events: `id` is the number of the last event told (`Last-Event-ID` goes on there).

One question a second asks the database for all who listen; each listener then reads on from where it was.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

from starlette.concurrency import run_in_threadpool

from sync.failure import DatabaseFailed, DatabaseRefused
from sync.map.features import (
    Json,
    changed_units,
    finding_feature,
    finding_key,
    grade_feature,
    photo_path,
    track_feature,
    unit_json,
)
from sync.receiver.atlas import Atlas
from sync.receiver.seen import Changes

LOOK_S: Final = 0.5
"""How often the database is asked."""
UNITS_S: Final = 2.0
BEAT_S: Final = 10.0
"""A listener that hears nothing for three of these knows that the line is dead."""
MOST_BEHIND: Final = 20_000
"""Events. Who is farther behind loads anew, which costs less."""
STEP: Final = 500

T = TypeVar("T")


class News:
    """Watches the database while somebody listens. It belongs to one event loop."""

    def __init__(self, atlas: Atlas, clock: Callable[[], float] = time.monotonic) -> None:
        self._atlas = atlas
        self._clock = clock
        self._listeners = 0
        self._watch: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()
        self._newest: int | None = None
        self._units: Mapping[str, Json] = {}
        self._trouble: str | None = None
        self._closed = False

    def close(self) -> None:
        """Lets all listeners go."""
        self._closed = True
        self._turn.set()

    async def listen(self, after: int | None) -> AsyncIterator[bytes]:
        """Everything from number `after` on, without end; None begins with what comes next."""
        self._listeners += 1
        if self._watch is None or self._watch.done():
            self._newest = None
            self._watch = asyncio.create_task(self._watching())
        try:
            async for told in self._told(after, self._watch):
                yield told
        finally:
            self._listeners -= 1

    async def _told(self, after: int | None, watch: asyncio.Task[None]) -> AsyncIterator[bytes]:
        units: Mapping[str, Json] = {}
        trouble, beat_s = None, self._clock() - BEAT_S
        while not self._closed:
            if self._trouble != trouble:
                trouble = self._trouble
                yield _event("trouble", {"told": trouble})
            after = self._newest if after is None else after
            while after is not None and self._newest is not None and trouble is None and self._newest > after:
                if self._newest > after + MOST_BEHIND:
                    after = self._newest
                    yield _event("reset", {}, after)
                    break
                changes = await self._ask(self._atlas.changes, after, STEP)
                if changes is None or changes.seq == after:
                    break
                after = changes.seq
                yield _event("change", _changes(changes), after)
            if changed := changed_units(units, self._units):
                units = self._units
                yield _event("units", {"units": changed}, after)
            # The first beat says where the listener begins: nothing that is stored after it is missed.
            if self._clock() - beat_s >= BEAT_S and (after is not None or trouble is not None):
                beat_s = self._clock()
                yield _event("beat", {}, after)
            await self._turn.wait()
            if watch.done():
                await watch  # it ends while somebody listens where there is a bug: say which

    async def _watching(self) -> None:
        units_s = self._clock() - UNITS_S
        try:
            while self._listeners and not self._closed:
                if self._clock() - units_s >= UNITS_S:
                    units_s = self._clock()
                    units = await self._ask(self._atlas.units)
                    self._units = self._units if units is None else {unit.source: unit_json(unit) for unit in units}
                newest = await self._ask(self._atlas.newest)
                self._newest = self._newest if newest is None else newest
                self._tick()
                await asyncio.sleep(LOOK_S)
        finally:
            self._tick()

    def _tick(self) -> None:
        """Wakes all listeners once."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
        if self._closed:
            self._turn.set()

    async def _ask(self, question: Callable[..., T], *given: Any) -> T | None:
        """The answer, None where the database gives none now."""
        try:
            answer = await run_in_threadpool(question, *given)
        except (DatabaseFailed, DatabaseRefused) as error:
            self._trouble = str(error)
            return None
        self._trouble = None
        return answer


def _changes(changes: Changes) -> Json:
    """What a page draws anew; empty where the events told nothing of the kind."""
    told: Json = {
        "findings": [finding_feature(each) for each in changes.findings],
        "tracks": [track_feature(each) for each in changes.tracks],
        "grades": [grade_feature(each) for each in changes.grades],
        "photos": [
            {"id": finding_key(source, finding_id), "photo": photo_path(source, finding_id)}
            for source, finding_id in changes.photos
        ],
    }
    return {name: some for name, some in told.items() if some}


def _event(name: str, data: Json, number: int | None = None) -> bytes:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
