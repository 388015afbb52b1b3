"""What the camera looks through and where it looks to, photo by photo: the quality gate and the mount, for rows and for health.

What is known of a camera outlasts its round: how the dry road looks in it, and whether it has moved since it was calibrated.
"""

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, get_args

from sqlite_utils import Database

from device.frame import Pixels, Place
from inference.lens import Lens
from inference.look import Looked
from inference.mount import Drift, Mount
from inference.quality_gate import Gate, Judged, Norm
from inference.scale import Scale
from provisioning.log import events
from sync.reasons import OfQuality

KEY: Final = "windscreen"
"""In the table `setting`."""

MOVED: Final = "mount_moved"
LAST = 25
"""Photos, 100 m: health tells a reason that half of them have."""
TOLD: Final[tuple[OfQuality, ...]] = get_args(OfQuality)

log = events("windscreen")


@dataclass
class Windscreen:
    """Judges the photos of one round. All calls come from the thread that opened the database."""

    db: Database
    round_id: str
    scale: Scale = field(default_factory=Scale)
    _lens: Lens | None = None
    _gate: Gate | None = None
    _mount: Mount | None = None
    _drift: Drift | None = None
    _last: deque[tuple[str, ...]] = field(default_factory=lambda: deque(maxlen=LAST))

    def take(self, looked: Looked, lens: Lens) -> Judged:
        """The next photo in the order of the road: why it grades nothing."""
        if looked.glance is None:
            return Judged()
        judged = self._gate_of(lens).take(looked.glance)
        if self._drift is not None and self._drift.moved:
            judged = replace(judged, reasons=(MOVED, *judged.reasons))
        self._last.append(judged.reasons)
        return judged

    def watch(self, pixels: Pixels, place: Place, lens: Lens) -> None:
        """The same photo, as it was before people were hidden: its lines tell whether the camera has moved."""
        self._gate_of(lens)
        assert self._mount is not None
        drift = self._mount.take(pixels, place)
        if drift is None:
            return
        if drift.moved != (self._drift is not None and self._drift.moved):
            angles = {"pitch_deg": round(drift.pitch_deg, 2), "yaw_deg": round(drift.yaw_deg, 2)}
            log.warning("mount_judged", moved=drift.moved, **angles)
        self._drift = drift

    def reasons(self) -> tuple[OfQuality, ...]:
        """What is wrong with the latest photos, for health."""
        counted = Counter(reason for reasons in self._last for reason in reasons)
        return tuple(reason for reason in TOLD if 2 * counted[reason] > max(2, len(self._last)))

    def save(self) -> None:
        """Write what outlasts the round, inside the caller's transaction."""
        if self._lens is None or self._gate is None:
            return
        drift = None if self._drift is None else [self._drift.pitch_deg, self._drift.yaw_deg, self._drift.moved]
        value = json.dumps({"round": self.round_id, "lens": _told(self._lens), "dry": self._gate.norm.medians, "drift": drift})
        self.db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [KEY, value])

    def _gate_of(self, lens: Lens) -> Gate:
        """The gate of this camera; another calibration begins anew."""
        if self._gate is None or lens != self._lens:
            known = self._known(lens)
            dry = Norm(tuple(known.get("dry", ())))
            self._lens, self._gate, self._mount = lens, Gate(lens, self.scale.covered_share, dry), Mount(lens)
            drift = known.get("drift")
            if drift is not None:
                pitch_deg, yaw_deg, moved = drift
                halves = ((pitch_deg, yaw_deg), (pitch_deg, yaw_deg)) if moved else ()
                self._drift = Drift(pitch_deg, yaw_deg, 0, halves)
        return self._gate

    def _known(self, lens: Lens) -> MappingProxyType[str, Any]:
        """What another round has left of this very calibration: a replay that goes on begins as it began."""
        row = self.db.conn.execute("SELECT value FROM setting WHERE key = ?", [KEY]).fetchone()
        known: dict[str, Any] = json.loads(row[0]) if row else {}
        return MappingProxyType(known if known.get("lens") == _told(lens) and known.get("round") != self.round_id else {})


def write_reasons(db: Database, judged: Judged, frame_id: Callable[[int], str]) -> None:
    """Why the latest frame grades nothing, and earlier ones of which that is known only now; inside the caller's transaction.

    `frame_id` names the frame so many before the latest.
    """
    db.conn.execute("UPDATE frame SET reasons = ? WHERE id = ?", [" ".join(judged.reasons), frame_id(0)])
    for reason, count in judged.before.items():
        db.conn.executemany(
            "UPDATE frame SET reasons = trim(coalesce(reasons, '') || :reason) WHERE id = :id "
            "AND instr(' ' || coalesce(reasons, '') || ' ', :reason || ' ') = 0",
            [{"reason": f" {reason}", "id": frame_id(back)} for back in range(1, count + 1)],
        )


def _told(lens: Lens) -> list[float]:
    return [lens.width, lens.height, lens.height_m, lens.pitch_deg, lens.yaw_deg, lens.hfov_deg, lens.k1]
