"""`ronde bench outbox`: how fast events become durable and leave, beside a bare paho publisher, and what a card has to bear.

A real mosquitto with mutual TLS and a real `ronde receive` stand behind all that is sent, on this very machine and its cores.
"""

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from device.street.recording import draw_drive
from sync.bench_drain import drains, written_by
from sync.broker import IN_FLIGHT
from sync.database import open_database, transaction
from sync.event import payload
from sync.faults.car import Car
from sync.faults.ground import Ground, TooLate, ground
from sync.faults.need import MOSQUITTO
from sync.faults.town import Town
from sync.faults.writer import bare_event
from sync.outbox import Outbox
from sync.replay import replay

ROWS = 1_000_000
"""Behind what is drained, in the second measurement."""
INSERTS = 2_000
DRAWN_S = 20.0

UNBOUNDED: Final = "max_queued_messages 0\n"
"""With the broker's stock queue of 1,000 it would drop the bare publisher's messages; ronde's it would not."""

LEAST_OF_BARE = 0.6
MOST_APART = 0.2
"""The goals: of the bare publisher's rate until all is stored, and between the rates with few and many rows behind."""

GOALS: Final = ("drain_of_bare", "drain_apart")


class BenchRefused(Exception):
    """The bench cannot be run here: one sentence."""


def bench_outbox(behind: int = ROWS) -> dict[str, Any]:
    """All numbers, each measured here and now; `goals_missed` names those that are not as good as they have to be.

    Raises:
        BenchRefused: mosquitto is missing.
    """
    missing = MOSQUITTO.missing()
    if missing is not None:
        raise BenchRefused(missing)
    try:
        with ground() as place:
            town = Town(place, UNBOUNDED)
            result: dict[str, Any] = {"software": version("ronde"), **_inserts(place, town), **_frames(place)}
            result |= drains(place, town, behind)
    except TooLate as error:
        raise BenchRefused(str(error)) from error
    result["goals_missed"] = [
        name
        for name, met in zip(GOALS, (result["drain_of_bare"] >= LEAST_OF_BARE, result["drain_apart"] <= MOST_APART), strict=True)
        if not met
    ]
    return result


def in_words(result: Mapping[str, Any]) -> str:
    """The result for a person."""
    size, few, behind = result["payload_bytes"], result["few"], result["behind"]
    lines = [
        ("durable inserts", result["inserts_per_s"], "/s", f"one event of {size} bytes a transaction"),
        ("bare paho", result["bare_per_s"], "/s", f"{IN_FLIGHT} in flight, to its last PUBACK"),
        ("bare paho, stored", result["bare_stored_per_s"], "/s", "until the receiver has stored the last"),
        ("drain", result["drain_per_s"], "/s", f"to the receiver's table, {few:,} rows behind"),
        ("drain", result["drain_per_s_behind"], "/s", f"the same, {behind:,} rows behind"),
        ("an event's insert", result["insert_bytes"], "B", "written to the disk, write-ahead log and checkpoints with it"),
        ("an event's delivery", result["drain_bytes"], "B", f"the same; {result['drain_bytes_behind']:,} B with many behind"),
        ("", result["drain_cpu_us"], "us", f"of the processor; {result['drain_cpu_us_behind']:,} us with many behind"),
        ("a frame", result["frame_bytes"], "B", f"the same, its photo of {result['photo_bytes']:,} bytes with it (1456x1088)"),
    ]
    told = [f"{what:<20}{value:>10,} {unit:<3} {how}" for what, value, unit, how in lines]
    of_bare, of_few = _spread(result["drain_of_bare_rounds"]), _spread(result["drain_behind_of_few_rounds"])
    told.append(
        f"drain is {result['drain_of_bare']:.2f} of bare paho, stored (rounds: {of_bare}; goal: at least {LEAST_OF_BARE:g}),"
    )
    told.append(
        f"and {result['drain_apart']:.0%} apart with few and many rows behind (rounds: {of_few}; goal: at most {MOST_APART:.0%})"
    )
    missed = result["goals_missed"]
    return "\n".join([*told, f"goals missed: {', '.join(missed)}" if missed else "all goals are met"])


def _spread(rounds: Sequence[float]) -> str:
    return f"{min(rounds):.2f} to {max(rounds):.2f}"


def _inserts(place: Ground, town: Town) -> dict[str, Any]:
    """Events into an empty outbox, each durable before the next."""
    car = Car(place, town, "inserts")
    db = open_database(car.state / "ronde.db")
    outbox, settings = Outbox(db), car.settings
    events = [bare_event(settings.unit, "00000000-1", n) for n in range(INSERTS)]
    before, began_s = written_by("self"), time.perf_counter()
    for event in events:
        with transaction(db):
            outbox.put(event, settings.backends)
    took_s = time.perf_counter() - began_s
    db.close()
    return {
        "inserts_per_s": round(INSERTS / took_s),
        "insert_bytes": round((written_by("self") - before) / INSERTS),
        "payload_bytes": len(payload(events[0], 1)),
    }


def _frames(place: Ground) -> dict[str, Any]:
    """A drawn drive in the size of the unit's camera, replayed: what one frame writes."""
    drive, out = place.folder / "drive", place.folder_of("replayed")
    draw_drive(drive, seconds=DRAWN_S, width=1456, height=1088, fps=5)
    before = written_by("self")
    report = replay(drive, out, None)
    written = written_by("self") - before
    photos = sum(photo.stat().st_size for photo in (out / "frames").rglob("*.jpg"))
    frames = report["frames_kept"]
    return {"frames": frames, "frame_bytes": round(written / frames), "photo_bytes": round(photos / frames)}
