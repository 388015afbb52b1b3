"""How fast an outbox empties, with few and with many rows behind what goes, beside a bare paho publisher of the same messages.

All three are timed in turn, round after round, and each is compared with its neighbours of the same round: what else the machine
does meanwhile falls on all of them. Before each, what is written and not on the disk yet is written.
"""

import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from provisioning.settings import Settings
from sync.broker import IN_FLIGHT, address_of
from sync.event import payload, topic
from sync.faults.car import Car
from sync.faults.ground import Ground, TooLate, pause, until
from sync.faults.town import Town
from sync.faults.writer import bare_event
from sync.tls import context

ROUNDS = 7
DRAINED = 6_000
"""Events whose way is timed in each round; some before them are not, while everything warms up."""
WARM = 2_000
FEW = 1_000
"""Rows behind what is drained, in one of the two measurements."""
LATEST_S = 600.0
SETTLED_S = 0.5
"""For so long nothing is stored any more: what was on its way has arrived."""

TICKS_S: Final = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rate:
    """Events a second until the backend has stored them; seconds of the processor and bytes that the sync took for each."""

    per_s: float
    cpu_s: float
    bytes_written: float


def drains(place: Ground, town: Town, behind: int) -> dict[str, Any]:
    """The rates, each the median of its rounds; the two comparisons, each the median of what the rounds say."""
    few, many, bare = (Car(place, town, name) for name in ("few", "many", "bare"))
    rates: dict[str, list[Rate]] = {"few": [], "many": []}
    sent, stored = [], []
    for number in range(ROUNDS):
        for car, left in ((few, FEW), (many, behind)):
            _fill(car, left, f"00000000-{number + 2}")
        for turn in range(3):
            who = ("few", "bare", "many")[(number + turn) % 3]
            os.sync()
            if who == "bare":
                sent_per_s, stored_per_s = _publish(town, bare.settings, f"00000000-{number + 1}")
                sent.append(sent_per_s)
                stored.append(stored_per_s)
            else:
                rates[who].append(_drain(town, few if who == "few" else many))
    return _result(rates["few"], rates["many"], sent, stored) | {"few": FEW, "behind": behind}


def _result(few: Sequence[Rate], many: Sequence[Rate], sent: Sequence[float], stored: Sequence[float]) -> dict[str, Any]:
    of_bare = [rate.per_s / bare for rate, bare in zip(few, stored, strict=True)]
    of_few = [rate.per_s / other.per_s for rate, other in zip(many, few, strict=True)]
    return {
        "bare_per_s": round(statistics.median(sent)),
        "bare_stored_per_s": round(statistics.median(stored)),
        "drain_per_s": round(statistics.median(rate.per_s for rate in few)),
        "drain_per_s_behind": round(statistics.median(rate.per_s for rate in many)),
        "drain_bytes": round(statistics.median(rate.bytes_written for rate in few)),
        "drain_bytes_behind": round(statistics.median(rate.bytes_written for rate in many)),
        "drain_cpu_us": round(1e6 * statistics.median(rate.cpu_s for rate in few)),
        "drain_cpu_us_behind": round(1e6 * statistics.median(rate.cpu_s for rate in many)),
        "drain_of_bare": round(statistics.median(of_bare), 2),
        "drain_of_bare_rounds": [round(each, 2) for each in of_bare],
        "drain_apart": round(abs(1.0 - statistics.median(of_few)), 2),
        "drain_behind_of_few_rounds": [round(each, 2) for each in of_few],
    }


def _drain(town: Town, car: Car) -> Rate:
    """From the outbox to the backend's table, by a sync that is started for it."""
    begun = _settled(town)
    sync = car.sync()
    until(lambda: town.newest() >= begun + WARM, "the first events arrive", LATEST_S)
    first, began_s, cpu_s, written = town.newest(), time.perf_counter(), cpu_of(sync.pid), written_by(str(sync.pid))
    until(lambda: town.newest() >= begun + WARM + DRAINED, "the events arrive", LATEST_S)
    took_s, count = time.perf_counter() - began_s, town.newest() - first
    cpu_s, written = cpu_of(sync.pid) - cpu_s, written_by(str(sync.pid)) - written
    sync.stop()
    return Rate(count / took_s, cpu_s / count, written / count)


def _fill(car: Car, behind: int, round_id: str) -> None:
    """So that `behind` rows are left when all has been measured.

    Never fewer new ones than are waited for: of those that the round before left, many are stored already and not confirmed yet.
    """
    measured = WARM + DRAINED
    car.fill(max(measured, measured + behind - car.waiting()), round_id)


def _publish(town: Town, settings: Settings, round_id: str) -> tuple[float, float]:
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
    messages: Sequence[bytes] = [payload(bare_event(settings.unit, round_id, n), n) for n in range(DRAINED)]
    client.connect(where.host, where.port)
    client.loop_start()
    try:
        if not admitted.wait(LATEST_S):
            raise TooLate("the bare publisher is not let in")
        stored, began_s = _settled(town), time.perf_counter()
        for message in messages:
            client.publish(topic(settings.unit, "finding"), message, qos=1)
        for _ in messages:
            if not answered.acquire(timeout=LATEST_S):
                raise TooLate("the bare publisher's messages are not answered")
        sent_s = time.perf_counter() - began_s
        until(lambda: town.newest() >= stored + DRAINED, "the bare publisher's messages are stored", LATEST_S)
        stored_s = time.perf_counter() - began_s
    finally:
        client.disconnect()
        client.loop_stop()
    return len(messages) / sent_s, len(messages) / stored_s


def _settled(town: Town) -> int:
    """Waits until nothing is stored any more; how many events the backend has then."""
    before = -1
    while before != (now := town.newest()):
        before = now
        pause(SETTLED_S)
    return now


def cpu_of(pid: int) -> float:
    """Seconds of the processor that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_S


def written_by(process: str) -> int:
    """Bytes that a process has dirtied of files so far, in whole pages, as the kernel counts them for the disk."""
    for line in Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return int(value)
    return 0
