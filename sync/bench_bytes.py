"""`ronde bench bytes`: what a kilometre costs over the air, event by event, and in batches as a costly link carries them."""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from device.street.recording import draw_drive
from provisioning.settings import Backend, Settings, Unit
from sync.bar import Bar
from sync.batch import alone, packed
from sync.database import open_database
from sync.evidence_wanted import Cutter
from sync.exit import DONE, UNDONE
from sync.health import put_health
from sync.outbox import Outbox, Parcel
from sync.replay import Progress, replay
from sync.sending import LINGER_S

EVENTS_KB_KM: Final = 40.0
EVIDENCE_MB_KM: Final = 5.0
"""The goals: events after they are deflated, and pictures."""

DRAWN_S: Final = 40.0
SIZE: Final = {"width": 1456, "height": 1088, "fps": 5}
"""Of the drive that is drawn where none is given."""
MINUTE_S: Final = 60.0
UNIT: Final = Unit("bench", "car-01")
BACKEND: Final = Backend("roads", "mqtt://127.0.0.1:1", None, None, None)


def bench_bytes(drive: Path | None, progress: Progress = lambda _done, _of: None) -> dict[str, Any]:
    """Drive it, cut its pictures, and weigh the packets that would carry it; nothing is sent."""
    with tempfile.TemporaryDirectory(prefix="ronde-bench-") as name:
        folder = Path(name)
        if drive is None:
            drive = folder / "drive"
            draw_drive(drive, seconds=DRAWN_S, purpose="bench", **SIZE)
        out = folder / "out"
        settings = Settings(Unit(UNIT.fleet, UNIT.name, out), backends=(BACKEND,))
        report = replay(drive, out, settings, progress=progress)
        db = open_database(out / "ronde.db")
        try:
            Cutter(db, out, settings.unit, settings.backends).cut_all()
            _tell_health(db, settings)
            return _weighed(db, settings.unit, report)
        finally:
            db.close()


def _tell_health(db: Database, settings: Settings) -> None:
    """A health event for each minute of the drive, as sync makes them."""
    began, ended = db.conn.execute("SELECT julianday(started_at), julianday(ended_at) FROM round").fetchone()
    minutes = max(1, round((ended - began) * 86_400 / MINUTE_S))
    for _ in range(minutes):
        put_health(db, settings.unit, settings.backends)


def _weighed(db: Database, unit: Unit, report: Mapping[str, Any]) -> dict[str, Any]:
    outbox, km = Outbox(db), report["length_m"] / 1000.0
    parcels = outbox.parcels([seq for (seq,) in db.conn.execute("SELECT seq FROM outbox ORDER BY seq")])
    pictures = [each for each in parcels if each.headers is not None]
    events = [each for each in parcels if each.headers is None]
    by_stream = {
        stream: {"events": len(these), "kb_km": _per_km(sum(alone(each).size for each in these) / 1e3, km)}
        for stream in sorted({each.stream for each in events})
        if (these := [each for each in events if each.stream == stream])
    }
    batches = [packet for some in _together(events) for packet in packed(unit, some, (), least=1)]
    singly, together = (sum(packet.size for packet in packets) for packets in (map(alone, events), batches))
    crops = [len(each.payload) for each in pictures]
    result = {
        "software": version("ronde"),
        "length_m": report["length_m"],
        "findings": sum(report["findings"].values()),
        "streams": by_stream,
        "batches": len(batches),
        "events_kb_km": {"alone": _per_km(singly / 1e3, km), "batches": _per_km(together / 1e3, km)},
        "evidence": {
            "pictures": len(crops),
            "mean_bytes": round(sum(crops) / len(crops)) if crops else None,
            "most_bytes": max(crops, default=None),
            "mb_km": _per_km(sum(alone(each).size for each in pictures) / 1e6, km),
        },
    }
    missed = [] if result["events_kb_km"]["batches"] <= EVENTS_KB_KM else ["events"]
    missed += [] if result["evidence"]["mb_km"] <= EVIDENCE_MB_KM else ["evidence"]
    return result | {"goals_missed": missed}


def _together(events: Sequence[Parcel]) -> list[list[Parcel]]:
    """Those of one wait on a costly link, by the moments that they tell; health, which was made just now, each by itself."""
    groups = [[each] for each in events if each.stream == "health"]
    timed = sorted((datetime.fromisoformat(json.loads(each.payload)["time"][:-1]), each.seq) for each in events)
    by_seq = {each.seq: each for each in events if each.stream != "health"}
    began: datetime | None = None
    for time, seq in timed:
        if seq not in by_seq:
            continue
        if began is None or (time - began).total_seconds() > LINGER_S:
            groups.append([])
            began = time
        groups[-1].append(by_seq[seq])
    return groups


def _per_km(amount: float, km: float) -> float:
    return round(amount / km, 2) if km else 0.0


def in_words(result: Mapping[str, Any]) -> str:
    """The result for a person."""
    both, evidence = result["events_kb_km"], result["evidence"]
    lines = [f"{result['length_m']:.0f} m, {result['findings']} findings; sizes are of MQTT packets, nothing was sent"]
    lines += [
        f"  {stream:<10}{told['events']:>6} events{told['kb_km']:>10.1f} kB/km one by one"
        for stream, told in result["streams"].items()
    ]
    lines.append(
        f"events: {both['alone']:.1f} kB/km one by one, {both['batches']:.1f} kB/km in {result['batches']} batches "
        f"(goal {EVENTS_KB_KM:g})"
    )
    if evidence["pictures"]:
        lines.append(
            f"evidence: {evidence['pictures']} pictures of {evidence['mean_bytes']:,} bytes on average, "
            f"{evidence['most_bytes']:,} at most: {evidence['mb_km']:.2f} MB/km (goal {EVIDENCE_MB_KM:g})"
        )
    lines.append(f"goals missed: {', '.join(result['goals_missed']) or 'none'}")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    with Bar("bench bytes") as progress:
        result = bench_bytes(args.drive, progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
