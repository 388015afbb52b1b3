"""The straight line, one frame at a time: from exposures and fixes to a hidden photo, its detections and its findings on disk.

`ronde capture` and `ronde replay` feed the same object; only who feeds it and how fast differ.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from device.chooser import Chooser, Chosen, Missed
from device.fix import Fix
from device.frame import Exposure, Frame, FrameUnreadable
from device.spacing import Spacing
from inference.look import HidingFailed, Look, Looked
from provisioning.log import events
from sync.photo import PhotoNotWritten
from sync.round_store import RoundStore
from sync.track import Tracker

log = events("line")


class Step(Enum):
    """What one step of the line did."""

    IDLE = "idle"
    """Nothing can be decided until another fix or exposure comes."""
    KEPT = "kept"
    """A frame was looked at, hidden and stored."""
    SKIPPED = "skipped"
    """An exposure could not be read; its mark is still to be served."""
    LOST = "lost"
    """A mark has no photo; the reason is counted."""


@dataclass
class Tally:
    """What happened in a round, for its report and for health."""

    detections: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    unreadable: list[str] = field(default_factory=list)
    hidden_regions: int = 0
    hidden_area: float = 0.0
    clock: Callable[[], float] = time.perf_counter

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start_s = self.clock()
        try:
            yield
        finally:
            self.seconds[stage] += self.clock() - start_s

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add times per stage that were taken elsewhere."""
        for stage, spent_s in seconds.items():
            self.seconds[stage] += spent_s


class Line:
    """One round: feed fixes and exposures in order of arrival, then step until it is idle."""

    def __init__(self, chooser: Chooser, look: Look, store: RoundStore, clock: Callable[[], float] = time.perf_counter) -> None:
        self.chooser = chooser
        self.spacing = Spacing(chooser.spacing_m)
        self.tally = Tally(clock=clock)
        self._look = look
        self._store = store
        self._track = Tracker()

    def take_fix(self, fix: Fix) -> None:
        """The next accepted fix."""
        stretch = self.chooser.take_fix(fix)
        filled_m = stretch.length_m if stretch is not None and stretch.lost else 0.0
        piece = self._track.fix(fix, self.chooser.odometer_m, filled_m)
        if piece is not None:
            self._store.put_track(piece)

    def take_exposure(self, exposure: Exposure) -> None:
        """The next exposure."""
        self.chooser.ring.push(exposure)

    def step(self) -> Step:
        """Decide on one mark; look at its frame, hide, and keep it."""
        with self.tally.timed("choose"):
            chosen = self.chooser.choose()
        if chosen is None:
            return Step.IDLE
        if isinstance(chosen, Missed):
            return self._lose(chosen.reason)
        frame = self._read(chosen)
        if frame is None:
            return Step.SKIPPED
        try:
            looked = self._look.look(frame)
        except HidingFailed as error:
            log.error("hiding_failed", reason=str(error))
            return self._lose("hiding_failed")
        self.tally.add(looked.seconds)
        return self._keep(looked)

    def end(self) -> None:
        """No more will come: decide on what is left and close the round's last gap and track."""
        self.chooser.end()
        while self.step() is not Step.IDLE:
            pass
        gap = self.spacing.end(self.chooser.odometer_m)
        if gap is not None:
            self._store.put_gap(gap)
            self._track.gap(gap)
        piece = self._track.end(self.chooser.odometer_m)
        if piece is not None:
            self._store.put_track(piece)

    def _read(self, chosen: Chosen) -> Frame | None:
        try:
            with self.tally.timed("read"):
                pixels = chosen.exposure.read()
        except FrameUnreadable as error:
            log.warning("frame_unreadable", reason=str(error))
            self.tally.unreadable.append(str(error))
            self.chooser.put_back(chosen)
            return None
        return Frame(pixels, chosen.exposure.shutter_boot_s, chosen.place, chosen.exposure.source)

    def _keep(self, looked: Looked) -> Step:
        try:
            kept = self._store.keep(looked, self.tally.timed)
        except PhotoNotWritten as error:
            log.error("photo_not_written", reason=str(error))
            return self._lose("disk")
        if looked.roads_failed is not None:
            log.error("roads_failed", reason=looked.roads_failed)
            self.tally.dropped["roads_failed"] += 1
        self.tally.detections.update(detection.label for detection in looked.detections)
        self.tally.findings.update(finding.label for finding in kept.findings)
        self.tally.hidden_regions += len(looked.frame.hidden)
        self.tally.hidden_area += looked.frame.hidden_share
        place = looked.frame.place
        filled = place.position_source == "filled"
        gap = self.spacing.kept(place.odometer_m, filled=filled, standing=place.speed_mps == 0.0)
        if gap is not None:
            self._store.put_gap(gap)
            self._track.gap(gap)
        self._track.frame()
        log.debug("frame_kept", frame_id=kept.frame_id, odometer_m=round(place.odometer_m, 2), hidden=len(looked.frame.hidden))
        return Step.KEPT

    def _lose(self, reason: str) -> Step:
        self.spacing.missed(reason)
        self.tally.dropped[reason] += 1
        return Step.LOST
