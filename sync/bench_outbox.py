"""`ronde bench outbox`: how fast events become durable and leave, beside a bare paho publisher, and what a card has to bear.

A real mosquitto with mutual TLS and a real `ronde receive` stand behind all that is sent, on this very machine and its cores.
"""

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from device.street.recording import draw_drive
from provisioning.settings import Settings
from sync.broker import IN_FLIGHT, address_of
from sync.database import open_database, transaction
from sync.event import payload, topic
from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import Ground, TooLate, ground, until
from sync.faults.need import MOSQUITTO
from sync.faults.town import Town, rows
from sync.faults.writer import bare_event
from sync.outbox import Outbox
from sync.replay import replay
from sync.tls import context

ROWS = 1_000_000
"""Behind what is drained, in the second measurement."""
FEW = 1_000
"""The same in the first."""
INSERTS = 2_000
DRAINED = 20_000
"""Events whose way is timed; some before them are not, while everything warms up."""
WARM = 2_000
BATCH = 2_000
"""Rows put in one transaction where only their number matters."""
DRAWN_S = 20.0

UNBOUNDED: Final = "max_queued_messages 0\n"
"""With the broker's stock queue of 1,000 it would drop the bare publisher's messages; ronde's it would not."""

LEAST_OF_BARE = 0.6
MOST_APART = 0.2
"""The goals: of the bare publisher's rate until all is stored, and between the rates with few and many rows behind."""

LATEST_S = 600.0
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
            result |= _drains(place, town, behind)
    except TooLate as error:
        raise BenchRefused(str(error)) from error
    few, many, bare = result["drain_per_s"], result["drain_per_s_behind"], result["bare_stored_per_s"]
    result["drain_of_bare"] = round(few / bare, 2)
    result["drain_apart"] = round(abs(many - few) / few, 2)
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
        ("an event's delivery", result["drain_bytes"], "B", "the same"),
        ("a frame", result["frame_bytes"], "B", f"the same, its photo of {result['photo_bytes']:,} bytes with it (1456x1088)"),
    ]
    told = [f"{what:<20}{value:>10,} {unit:<3} {how}" for what, value, unit, how in lines]
    told.append(f"drain is {result['drain_of_bare']:.2f} of bare paho, stored (goal: at least {LEAST_OF_BARE:g}),")
    told.append(f"and {result['drain_apart']:.0%} apart with few and many rows behind (goal: at most {MOST_APART:.0%})")
    missed = result["goals_missed"]
    return "\n".join([*told, f"goals missed: {', '.join(missed)}" if missed else "all goals are met"])


def _inserts(place: Ground, town: Town) -> dict[str, Any]:
    """Events into an empty outbox, each durable before the next."""
    car = Car(place, town, "inserts")
    db = open_database(car.state / "ronde.db")
    outbox, settings = Outbox(db), car.settings
    events = [bare_event(settings.unit, "00000000-1", n) for n in range(INSERTS)]
    before, began_s = _written("self"), time.perf_counter()
    for event in events:
        with transaction(db):
            outbox.put(event, settings.backends)
    took_s = time.perf_counter() - began_s
    db.close()
    return {
        "inserts_per_s": round(INSERTS / took_s),
        "insert_bytes": round((_written("self") - before) / INSERTS),
        "payload_bytes": len(payload(events[0], 1)),
    }


def _frames(place: Ground) -> dict[str, Any]:
    """A drawn drive in the size of the unit's camera, replayed: what one frame writes."""
    drive, out = place.folder / "drive", place.folder_of("replayed")
    draw_drive(drive, seconds=DRAWN_S, width=1456, height=1088, fps=5)
    before = _written("self")
    report = replay(drive, out, None)
    written = _written("self") - before
    photos = sum(photo.stat().st_size for photo in (out / "frames").rglob("*.jpg"))
    frames = report["frames_kept"]
    return {"frames": frames, "frame_bytes": round(written / frames), "photo_bytes": round(photos / frames)}


def _drains(place: Ground, town: Town, behind: int) -> dict[str, Any]:
    few, drain_bytes = _drain(place, town, "few", FEW)
    sent, stored = _bare(town, Car(place, town, "bare").settings)
    many, _ = _drain(place, town, "many", behind)
    rates = {
        "bare_per_s": round(sent),
        "bare_stored_per_s": round(stored),
        "drain_per_s": round(few),
        "drain_per_s_behind": round(many),
    }
    return {**rates, "drain_bytes": round(drain_bytes), "few": FEW, "behind": behind}


def _drain(place: Ground, town: Town, name: str, behind: int) -> tuple[float, float]:
    """Events/s from the outbox to the backend's table with so many rows behind; and bytes that the sync wrote for each."""
    car = Car(place, town, name)
    fill(car, WARM + DRAINED + behind)
    before = _stored(town)
    sync: Child = car.sync()
    until(lambda: _stored(town) >= before + WARM, "the first events arrive", LATEST_S)
    began_s, first, written = time.perf_counter(), _stored(town), _written(str(sync.pid))
    until(lambda: _stored(town) >= before + WARM + DRAINED, "the events arrive", LATEST_S)
    took_s, last = time.perf_counter() - began_s, _stored(town)
    written = _written(str(sync.pid)) - written
    sync.kill()
    return (last - first) / took_s, written / (last - first)


def fill(car: Car, count: int, round_id: str = "00000000-1") -> None:
    """So many events into a unit's outbox, many in a transaction."""
    db = open_database(car.state / "ronde.db")
    try:
        outbox, settings = Outbox(db), car.settings
        for first in range(0, count, BATCH):
            with transaction(db):
                for n in range(first, min(count, first + BATCH)):
                    outbox.put(bare_event(settings.unit, round_id, n), settings.backends)
    finally:
        db.close()


def _bare(town: Town, settings: Settings) -> tuple[float, float]:
    """Messages/s of paho alone to its last PUBACK, and until the receiver has stored the last.

    The same messages, broker and receiver; nothing is read from a disk, kept or awaited.
    """
    where = address_of(settings.backends[0])
    assert where.ca is not None
    assert where.cert is not None
    assert where.key is not None
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages = IN_FLIGHT
    client.max_queued_messages = 0
    client.tls_set_context(context(where.ca, where.cert, where.key))
    admitted, answered = threading.Event(), threading.Semaphore(0)
    client.on_connect = lambda *_: admitted.set()
    client.on_publish = lambda *_: answered.release()
    messages: Sequence[bytes] = [payload(bare_event(settings.unit, "00000000-1", n), n) for n in range(DRAINED)]
    client.connect(where.host, where.port)
    client.loop_start()
    try:
        if not admitted.wait(LATEST_S):
            raise TooLate("the bare publisher is not let in")
        stored, began_s = _stored(town), time.perf_counter()
        for message in messages:
            client.publish(topic(settings.unit, "finding"), message, qos=1)
        for _ in messages:
            if not answered.acquire(timeout=LATEST_S):
                raise TooLate("the bare publisher's messages are not answered")
        sent_s = time.perf_counter() - began_s
        until(lambda: _stored(town) >= stored + DRAINED, "the bare publisher's messages are stored", LATEST_S)
        stored_s = time.perf_counter() - began_s
    finally:
        client.disconnect()
        client.loop_stop()
    return len(messages) / sent_s, len(messages) / stored_s


def _stored(town: Town) -> int:
    """How many events the backend has, read in no time however many there are."""
    try:
        found = rows(town.file, "SELECT max(rowid) FROM event")
    except sqlite3.OperationalError:
        return 0
    return int(found[0][0] or 0) if found else 0


def _written(process: str) -> int:
    """Bytes that a process has dirtied of files so far, in whole pages, as the kernel counts them for the disk."""
    for line in Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return int(value)
    return 0
