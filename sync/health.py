"""How the unit is, once a minute: made from what capture and sync tell in `condition`, and from what is counted."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, get_args

from sqlite_utils import Database

from device.boot import boot_id, now_s
from provisioning.settings import Backend, Unit
from sync.audit import told_of_audit
from sync.budget import told_of_spending
from sync.commands_book import told_of_commands
from sync.database import next_number, transaction
from sync.event import Event, event_id, health_data
from sync.outbox import Outbox
from sync.reasons import State

CAPTURE_SILENT_S = 30.0
"""A condition older than this is not believed: the capture is not running."""

THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")
STATES: Final = get_args(State)
BYTES_KEY: Final = "bytes/"


def put_health(
    db: Database,
    unit: Unit,
    backends: tuple[Backend, ...],
    *,
    boot: str | None = None,
    clock: Callable[[], float] = now_s,
    thermal: Path = THERMAL,
) -> Event:
    """Makes a health event and puts it into the outbox; returns it. `clock` is the boot clock."""
    boot = boot or boot_id()
    at = datetime.now(timezone.utc)
    with transaction(db):
        data = _data(db, unit.state, thermal, boot=boot, boot_s=clock(), at=at)
        event = Event(unit, "health", event_id(unit, "health", boot, next_number(db, "health")), at, data)
        Outbox(db).put(event, backends)
    return event


def _data(db: Database, state: Path, thermal: Path, *, boot: str, boot_s: float, at: datetime) -> dict[str, Any]:
    told = _condition(db, boot, boot_s)
    outbox = Outbox(db)
    size = outbox.size()
    counters = told["counters"]
    data = health_data(
        boot=boot,
        uptime_s=boot_s,
        state=told["state"],
        reasons=list(dict.fromkeys((*told["reasons"], *_alarms(db, boot)))),
        time_source=counters.get("time_source", "unset"),
        fix_age_s=counters.get("fix_age_s"),
        frames=counters.get("frames", 0),
        dropped=counters.get("dropped", {}),
        rejected=counters.get("rejected", {}),
        outbox=(size.rows, None if size.oldest_at is None else _age_s(size.oldest_at, at)),
        refused=outbox.refused(),
        disk_free_bytes=shutil.disk_usage(state).free,
        temperature_c=temperature_c(thermal),
        bytes_day=_bytes_since(db, f"{at:%Y-%m-%d}"),
        bytes_month=_bytes_since(db, f"{at:%Y-%m}"),
    )
    safety = {"safety": counters["safety"]} if counters.get("safety") else {}
    return data | safety | told_of_commands(db) | told_of_audit(state) | told_of_spending(db, at)


def _condition(db: Database, boot: str, boot_s: float) -> dict[str, Any]:
    """What the capture told last; a fault where it has told nothing in this boot, or nothing lately."""
    row = db.conn.execute("SELECT boot, at_boot_s, state, reasons, counters FROM condition WHERE name = 'capture'").fetchone()
    if row is None or row[0] != boot:
        return {"state": "fault", "reasons": ["capture_not_running"], "counters": {}}
    counters = json.loads(row[4])
    if boot_s - row[1] > CAPTURE_SILENT_S:
        return {"state": "fault", "reasons": ["capture_silent"], "counters": counters}
    return {"state": row[2] if row[2] in STATES else "fault", "reasons": json.loads(row[3]), "counters": counters}


def _alarms(db: Database, boot: str) -> list[str]:
    """What sync has told in this boot: it says at each turn what is wrong with disk, database and link (sync/tending.py)."""
    row = db.conn.execute("SELECT reasons FROM condition WHERE name = 'sync' AND boot = ?", [boot]).fetchone()
    alarms: list[str] = json.loads(row[0]) if row else []
    return alarms


def _age_s(made_at: str, at: datetime) -> float:
    """Never negative: the clock may have been set back since."""
    return max(0.0, (at - datetime.fromisoformat(made_at.replace("Z", "+00:00"))).total_seconds())


def temperature_c(thermal: Path = THERMAL) -> float | None:
    """The processor's temperature, None where the system does not tell."""
    try:
        return int(thermal.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def count_bytes(db: Database, sent: int) -> None:
    """Adds to what was sent today (UTC), for the data plan; called inside a transaction."""
    if sent:
        db.conn.execute(
            "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
            [f"{BYTES_KEY}{datetime.now(timezone.utc):%Y-%m-%d}", sent],
        )


def _bytes_since(db: Database, prefix: str) -> int:
    """What was sent on the days whose date begins with `prefix`."""
    row = db.conn.execute("SELECT sum(value) FROM setting WHERE key GLOB ?", [f"{BYTES_KEY}{prefix}*"]).fetchone()
    return int(row[0] or 0)
