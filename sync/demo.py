"""`ronde demo`: the whole line on one machine, from a street that ronde draws to findings at a receiver.

Nothing is played: the drive is drawn and recorded, then it goes through the line of the car, the outbox, a real MQTT broker on
loopback, and the reference receiver, whose database is the proof.
"""

import json
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device.street.recording import draw_drive
from provisioning.settings import Backend, Settings, Unit
from sync.delivery import deliver_once
from sync.export import export_findings
from sync.receiver import run_receiver
from sync.replay import replay
from sync.report import in_words as report_in_words

BROKER = """\
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
    [v5.1.connections]
    connection_timeout_ms = 60000
    max_payload_size = 262144
    max_inflight_count = 100
    dynamic_filters = true
"""
"""A broker of MQTT 5 for this machine alone."""

RECEIVER_DB = "receiver.db"
LISTENING_S = 30.0


def run_demo(out: Path, seconds: float, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Draw, drive, deliver, receive; what came of it. `say` is told each step as it begins."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    drive, state = out / "drive", out / "unit"
    if not (drive / "frames.csv").exists():
        say(f"1/3  drawing {seconds:g} s of a street into {drive}")
        draw_drive(drive, seconds=seconds, purpose="demo")
    say(f"2/3  driving it: photos, hiding and detection into {state}")
    with _broker(out) as url:
        settings = Settings(Unit("demo", "car-01", state), backends=(Backend("roads", url, None, None, None),))
        report = replay(drive, state, settings)
        say(f"3/3  delivering over MQTT ({url}) to a receiver")
        with _receiver(url, out / RECEIVER_DB):
            deliveries = deliver_once(settings)
    findings = out / "findings.geojson"
    findings.write_text(json.dumps(export_findings(state / "ronde.db")) + "\n", encoding="utf-8")
    stored = _stored(out / RECEIVER_DB)
    return {
        "done": deliveries.done,
        "report": report,
        "delivery": deliveries.as_json(),
        "stored": stored,
        "folder": str(out),
        "geojson": str(findings),
    }


def in_words(result: Mapping[str, Any]) -> str:
    """What a newcomer reads at the end."""
    folder = result["folder"]
    stored = ", ".join(f"{count} {stream}" for stream, count in result["stored"].items())
    return "\n".join(
        [
            "",
            report_in_words(result["report"]),
            f"received: {stored}; each stored once" if result["done"] else f"not delivered: {result['delivery']}",
            "",
            f"photos, people hidden   {folder}/unit/frames/",
            f"findings for a map      {result['geojson']}",
            f"the unit's database     {folder}/unit/ronde.db",
            f"the backend's database  {folder}/{RECEIVER_DB}",
            "",
            "next: drive your own recording with  ronde replay DRIVE --out DIR  (docs/drives.md)",
        ]
    )


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """A real MQTT broker on loopback for the length of the block; its address."""
    from iotcore import Broker  # noqa: PLC0415 - of the extra [backend]; a unit has no broker

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "broker.toml"
    config.write_text(BROKER.format(port=port), encoding="utf-8")
    with Broker(config_path=str(config)):
        yield f"mqtt://127.0.0.1:{port}"


@contextmanager
def _receiver(url: str, file: Path) -> Iterator[None]:
    """The reference receiver in a thread, listening."""
    stop, listening = threading.Event(), threading.Event()
    options = {"db_url": f"sqlite:///{file}", "stop": stop, "listening": listening.set}
    thread = threading.Thread(target=run_receiver, args=(url,), kwargs=options, name="receiver")
    thread.start()
    try:
        if not listening.wait(LISTENING_S):
            raise RuntimeError(f"the receiver does not reach the broker at {url}")
        yield
    finally:
        stop.set()
        thread.join()


def _stored(file: Path) -> dict[str, int]:
    """What the receiver holds: events per stream."""
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows = db.execute("SELECT type, count(*) FROM event GROUP BY type ORDER BY type").fetchall()
    finally:
        db.close()
    return {kind.removeprefix("ronde.").removesuffix(".v1"): count for kind, count in rows}
