"""What the driver marks with the button *hazard*: the anonymous frames of the last ten seconds, as a finding.

The press is a row of `request`, so it outlives whatever happens to the capture; the finding, its event and the end of the request
are one transaction, so it is told once. A driver presses after the thing was seen: it lies somewhere along the road of the last
ten seconds, and `uncertainty_m` reaches over all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlite_utils import Database

from device.boot import boot_id
from device.earth import distance_m
from device.frame import Place
from inference.finding import Finding
from provisioning.log import events
from sync.database import transaction
from sync.event import Event, event_id, finding_data
from sync.evidence_wanted import Wish, want
from sync.outbox import Outbox
from sync.request import NOTE_WAIT_S, Request, hazards_waiting, take, was_paused
from sync.round_store import Recipients
from sync.rows import PLACE_COLUMNS, finding_columns, insert, place_of

LABEL: Final = "hazard"
WINDOW_S: Final = 10.0
"""The frames of so long before the press are the finding's."""

AHEAD_M: Final = 15.0
"""What a driver points at may lie so far ahead of the car."""

FARTHEST_S: Final = 600.0
"""Where there is no frame of the window, one that is farther away in time tells nothing of the place any more."""

TOWN_MPS: Final = 14.0
"""How far a car may have come since a frame, for each second of which nothing else is known."""

FIRST_NUMBER: Final = 1_000_000
"""The hazards of a round are numbered from here on, so that the numbers of what the line finds go on undisturbed."""

WHOLE: Final = (0.0, 0.0, 1e6, 1e6)
"""The box of the whole photo, whatever its size."""

log = events("hazard")


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a round that is being driven has come: all frames up to this moment of the boot clock are stored."""

    round_id: str
    boot_s: float
    odometer_m: float


@dataclass(frozen=True, slots=True)
class Shot:
    """A stored frame with its place, and when its shutter opened on the boot clock."""

    frame_id: str
    round_id: str
    shutter_boot_s: float
    place: Place


def take_hazards(db: Database, recipients: Recipients, seen: Seen | None = None, *, note_wait_s: float = NOTE_WAIT_S) -> int:
    """Make findings of what the driver has marked. Returns how many presses were settled.

    `seen`: a round is being driven; what was pressed after that moment waits, and so does, for `note_wait_s`, what the driver may
    still say something of. Without it no more frames will come: all that has a place is told. A press without any frame near it
    in time waits as long as this boot lasts.

    Raises:
        DatabaseFailed, DatabaseDamaged: what was not settled still waits.
    """
    waiting = hazards_waiting(db)
    boot = boot_id() if waiting else ""
    return sum(_settle(db, recipients, hazard, seen, boot) for hazard in waiting if _is_due(hazard, seen, boot, note_wait_s))


def _is_due(hazard: Request, seen: Seen | None, boot: str, note_wait_s: float) -> bool:
    if seen is None or hazard.boot != boot:
        return True
    return hazard.made_boot_s + (note_wait_s if hazard.note is None else 0.0) <= seen.boot_s


def _settle(db: Database, recipients: Recipients, hazard: Request, seen: Seen | None, boot: str) -> bool:
    """Make the finding of one press, or say that there can be none; whether it is settled."""
    shots = [] if was_paused(db, hazard) else _shots(db, hazard)
    finding = _finding(db, hazard, shots, seen) if shots else None
    if finding is None and hazard.boot == boot and not was_paused(db, hazard):
        return False
    with transaction(db):
        take(db, hazard)
        if finding is not None:
            _store(db, recipients, hazard, finding, shots)
    if finding is None:
        log.warning("hazard_without_place", request=hazard.id)
    else:
        log.info("hazard_marked", finding_id=finding.id, frames=finding.frames)
    return True


def _shots(db: Database, hazard: Request) -> Sequence[Shot]:
    """The frames of the window, the oldest first; else the one that is nearest in time."""
    of_boot = f"{hazard.boot[:8]}-*"
    columns = f"id, round_id, shutter_boot_s, {', '.join(PLACE_COLUMNS)}"
    known = "round_id GLOB ? AND shutter_boot_s IS NOT NULL AND latitude_deg IS NOT NULL AND taken_at IS NOT NULL"
    rows = db.conn.execute(
        f"SELECT {columns} FROM frame WHERE {known} AND shutter_boot_s > ? AND shutter_boot_s <= ? ORDER BY shutter_boot_s",  # noqa: S608 - our own names
        [of_boot, hazard.made_boot_s - WINDOW_S, hazard.made_boot_s],
    ).fetchall()
    if not rows:
        rows = db.conn.execute(
            f"SELECT {columns} FROM frame WHERE {known} AND abs(shutter_boot_s - ?) < ? ORDER BY abs(shutter_boot_s - ?) LIMIT 1",  # noqa: S608 - our own names
            [of_boot, hazard.made_boot_s, FARTHEST_S, hazard.made_boot_s],
        ).fetchall()
    shots = [Shot(row[0], row[1], row[2], place) for row in rows if (place := place_of(row[3:])) is not None]
    return [shot for shot in shots if shot.round_id == shots[-1].round_id]


def _finding(db: Database, hazard: Request, shots: Sequence[Shot], seen: Seen | None) -> Finding:
    """The finding of these frames: its point is in the middle of their road, and its radius holds all of it."""
    last = shots[-1]
    apart_s = hazard.made_boot_s - last.shutter_boot_s
    middle_m = (shots[0].place.odometer_m + last.place.odometer_m) / 2.0
    middle = min(shots, key=lambda shot: abs(shot.place.odometer_m - middle_m)).place
    driven_m = abs(apart_s) * TOWN_MPS if len(shots) == 1 else 0.0
    if seen is not None and seen.round_id == last.round_id:
        driven_m = min(driven_m, abs(seen.odometer_m - last.place.odometer_m))
    reach_m = max(_apart_m(middle, shot.place) + shot.place.accuracy_m for shot in shots)
    (count,) = db.conn.execute("SELECT count(*) FROM finding WHERE round_id = ? AND label = ?", [last.round_id, LABEL]).fetchone()
    taken_at = last.place.taken_at
    return Finding(
        id=f"{last.round_id}-f{FIRST_NUMBER + count}",
        round_id=last.round_id,
        label=LABEL,
        score=1.0,
        latitude_deg=middle.latitude_deg,
        longitude_deg=middle.longitude_deg,
        uncertainty_m=reach_m + AHEAD_M + driven_m,
        frames=len(shots),
        best_frame_id=last.frame_id,
        seen_at=None if taken_at is None else taken_at + timedelta(seconds=apart_s),
        model="",
        first_frame_id=shots[0].frame_id,
        last_frame_id=last.frame_id,
        odometer_m=middle.odometer_m,
    )


def _store(db: Database, recipients: Recipients, hazard: Request, finding: Finding, shots: Sequence[Shot]) -> None:
    """The finding, its event, and the wish for its picture: the whole photo."""
    insert(db, "finding", note=hazard.note, **finding_columns(finding))
    unit = recipients.unit
    if unit is None or finding.seen_at is None:
        return
    (sha256,) = db.conn.execute("SELECT sha256 FROM frame WHERE id = ?", [finding.best_frame_id]).fetchone()
    number = int(finding.id.rsplit("-f", 1)[1])
    data = hazard_data(finding, shots[-1].place, sha256, hazard.note)
    event = Event(unit, "finding", event_id(unit, "finding", finding.round_id, number), finding.seen_at, data)
    Outbox(db).put(event, recipients.backends)
    if recipients.want("evidence"):
        want(db, Wish(finding.id, finding.round_id, number, finding.best_frame_id, WHOLE, finding.seen_at))


def hazard_data(finding: Finding, camera: Place, photo_sha256: str | None, note: str | None) -> dict[str, Any]:
    """A hazard as a GeoJSON Feature: a finding that no model has found, with what the driver says of it."""
    data = finding_data(finding, camera, photo_sha256)
    data["properties"] |= {"model": None, "note": note}
    return data


def _apart_m(here: Place, there: Place) -> float:
    return distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
