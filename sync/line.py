"""The straight line, one frame at a time: from exposures and fixes to a hidden photo and its detections on disk, and to findings.

`ronde capture` and `ronde replay` feed the same object; only who feeds it and how fast differ.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from device.choice import Ahead, Chosen, Missed, Placed, Surplus
from device.chooser import Chooser
from device.fix import Fix
from device.frame import Exposure, Frame, FrameUnreadable, Pixels, Place
from device.motion import Motion
from device.spacing import Gap, Spacing
from inference.finding import Finding
from inference.look import HidingFailed, Look, Looked
from provisioning.log import events
from sync.alert import Alerts
from sync.photo import PhotoNotWritten
from sync.round_store import RoundStore
from sync.tally import Tally
from sync.track import Tracker

log = events("line")


class Step(Enum):
    """What one step of the line did."""

    IDLE = "idle"
    """Nothing can be decided until another fix or exposure comes."""
    KEPT = "kept"
    """A frame was looked at, hidden and stored."""
    PLACED = "placed"
    """A frame that was kept ahead of the fix has its place."""
    REMOVED = "removed"
    """A frame that was kept ahead of the fix was one too many."""
    SKIPPED = "skipped"
    """An exposure could not be used; its mark is still to be served."""
    STILL = "still"
    """Without a fix: the picture has not moved, so the exposure is not kept."""
    LOST = "lost"
    """A mark has no photo; the reason is counted."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a stored frame until it counts: no pixels."""

    frame_id: str
    place: Place | None
    hidden: int
    hidden_share: float
    labels: tuple[str, ...]

    @classmethod
    def of(cls, frame_id: str, looked: Looked) -> "Remembered":
        """Of a frame just looked at."""
        labels = tuple(detection.label for detection in looked.detections)
        return cls(frame_id, looked.frame.place, len(looked.frame.hidden), looked.frame.hidden_share, labels)


class Line:
    """One round: feed fixes and exposures in order of arrival, then step until it is idle."""

    def __init__(
        self,
        chooser: Chooser,
        look: Look,
        store: RoundStore,
        clock: Callable[[], float] = time.perf_counter,
        alerts: Alerts | None = None,
    ) -> None:
        self.chooser = chooser
        self.spacing = Spacing(chooser.spacing_m)
        self.tally = Tally(clock=clock)
        self._look = look
        self._store = store
        self._alerts = alerts
        self._track = Tracker(chooser.spacing_m)
        self._ahead: dict[int, Remembered] = {}
        self._motion = Motion()

    def take_fix(self, fix: Fix) -> None:
        """The next accepted fix."""
        first = self.chooser.fix is None
        self._motion = Motion()
        stretch = self.chooser.take_fix(fix)
        if first:
            self._track.begin(self.chooser.odometer_m)
        if stretch is not None and stretch.standing:
            self._track.stood(stretch.seconds)
        filled_m = stretch.length_m if stretch is not None and stretch.lost and not first else 0.0
        piece = self._track.fix(fix, self.chooser.odometer_m, filled_m)
        if piece is not None:
            self._store.put_track(piece)

    def take_exposure(self, exposure: Exposure) -> None:
        """The next exposure."""
        self.chooser.ring.push(exposure)

    def step(self) -> Step:
        """Do what the choice says: keep a frame, place or remove one that was kept ahead of the fix, or give up a mark."""
        with self.tally.timed("choose"):
            choice = self.chooser.choose()
        match choice:
            case None:
                return Step.IDLE
            case Missed():
                return self._lose(choice.reason)
            case Chosen():
                return self._keep(choice)
            case Ahead():
                return self._keep_ahead(choice)
            case Placed():
                return self._place(choice.number, choice.place)
            case Surplus():
                return self._remove(choice.number)

    def end(self) -> None:
        """No more will come: decide on what is left and close the round's last gap and track."""
        self.chooser.end()
        while self.step() is not Step.IDLE:
            pass
        for number, kept in list(self._ahead.items()):  # the fix never came: they stay where they were thought to be
            if kept.place is not None:
                self._place(number, kept.place)
            else:
                self._remove(number)
        if self._alerts is not None:
            self._alerts.end()
        with self.tally.timed("database"):
            self._tell(self._store.finish())
        self._close(self.spacing.end(self.chooser.odometer_m))
        piece = self._track.end(self.chooser.odometer_m)
        if piece is not None:
            self._store.put_track(piece)

    def _keep(self, chosen: Chosen) -> Step:
        """Look at the frame of a chosen exposure, and store it."""
        pixels = self._read(chosen.exposure)
        if pixels is None:
            self.chooser.put_back(chosen)
            return Step.SKIPPED
        looked = self._look_at(pixels, chosen.exposure, chosen.place)
        if looked is None:
            return self._lose("hiding_failed")
        try:
            kept = self._store.keep(looked, self.tally.timed, chosen.exposure.shutter_boot_s)
        except PhotoNotWritten as error:
            log.error("photo_not_written", reason=str(error))
            return self._lose("disk")
        self._watch(kept.frame_id, looked)
        with self.tally.timed("mount"):
            self._store.watch(pixels, chosen.place)
        self._count(Remembered.of(kept.frame_id, looked), chosen.place, kept.findings)
        return Step.KEPT

    def _keep_ahead(self, ahead: Ahead) -> Step:
        """The same beyond the last fix: what is found waits for the place. What cannot be kept leaves its mark to others."""
        pixels = self._read(ahead.exposure)
        if pixels is not None and not self._motion.moved(pixels, at_first=ahead.moving):
            self.chooser.was_still(ahead.number)
            return Step.STILL
        looked = None if pixels is None else self._look_at(pixels, ahead.exposure, ahead.place)
        if looked is None:
            return self._pass_over(ahead, "frame_unreadable" if pixels is None else "hiding_failed")
        try:
            frame_id = self._store.keep_ahead(looked, self.tally.timed, ahead.exposure.shutter_boot_s)
        except PhotoNotWritten as error:
            log.error("photo_not_written", reason=str(error))
            return self._pass_over(ahead, "disk")
        self._watch(frame_id, looked)
        self._ahead[ahead.number] = Remembered.of(frame_id, looked)
        return Step.KEPT

    def _watch(self, frame_id: str, looked: Looked) -> None:
        """What cannot wait: fire and smoke, told from where the frame is thought to be."""
        if self._alerts is not None:
            with self.tally.timed("watch"):
                self._alerts.take(frame_id, looked.frame)

    def _place(self, number: int, place: Place) -> Step:
        """A frame that was kept ahead has its place now."""
        kept = self._ahead.pop(number)
        with self.tally.timed("database"):
            findings = self._store.place(kept.frame_id, place)
        self._count(kept, place, findings)
        return Step.PLACED

    def _remove(self, number: int) -> Step:
        """A frame that was kept ahead serves no mark."""
        with self.tally.timed("database"):
            self._store.remove(self._ahead.pop(number).frame_id)
        return Step.REMOVED

    def _read(self, exposure: Exposure) -> Pixels | None:
        try:
            with self.tally.timed("read"):
                return exposure.read()
        except FrameUnreadable as error:
            log.warning("frame_unreadable", reason=str(error))
            self.tally.unreadable += 1
            return None

    def _look_at(self, pixels: Pixels, exposure: Exposure, place: Place | None) -> Looked | None:
        """The look at a frame; None where people could not be hidden for certain."""
        try:
            looked = self._look.look(Frame(pixels, exposure.shutter_boot_s, place, exposure.source))
        except HidingFailed as error:
            log.error("hiding_failed", reason=str(error))
            return None
        self.tally.add(looked.seconds)
        if looked.roads_failed is not None:
            log.error("roads_failed", reason=looked.roads_failed)
            self.tally.dropped["roads_failed"] += 1
        return looked

    def _count(self, kept: Remembered, place: Place, findings: Sequence[Finding]) -> None:
        """A frame is kept and has its place: it counts."""
        self.tally.photo(kept.hidden, kept.hidden_share, kept.labels)
        self._tell(findings)
        filled = place.position_source != "between_fixes"
        standing = place.speed_mps == 0.0
        self._close(self.spacing.kept(place.odometer_m, filled=filled, standing=standing))
        self._track.frame(place.odometer_m, filled=filled, standing=standing)
        log.debug("frame_kept", frame_id=kept.frame_id, odometer_m=round(place.odometer_m, 2), hidden=kept.hidden)

    def _tell(self, findings: Sequence[Finding]) -> None:
        """These are settled."""
        self.tally.findings.update(finding.label for finding in findings)

    def _close(self, gap: Gap | None) -> None:
        if gap is not None:
            self._store.put_gap(gap)
            self._track.gap(gap)

    def _pass_over(self, ahead: Ahead, reason: str) -> Step:
        self.chooser.forget_ahead(ahead.number)
        self.tally.dropped[reason] += 1
        return Step.SKIPPED

    def _lose(self, reason: str) -> Step:
        self.spacing.missed(reason)
        self.tally.dropped[reason] += 1
        return Step.LOST
