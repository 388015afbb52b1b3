"""What `ronde doctor` finds out about what the unit keeps: its configuration, its disk, what waits and what was set aside."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from provisioning.settings import Keeping, Settings
from sync.aside import SALVAGED, aside_files
from sync.ballast import Ballast
from sync.checks import Check

MOST_REASONS = 3
OLD_H = 48.0
"""What waits longer than a weekend without the depot waits for something else."""


def check_settings(settings: Settings) -> Check:
    """Whether the configuration is the one that was written, or its last good copy."""
    name = "configuration"
    if settings.fallback is None:
        return Check(name, "ok", f"{settings.source or 'built in'} is in order")
    remedy = "write the file again; until then the unit goes on with what it had before"
    return Check(name, "failed", f"its last good copy is used: {settings.fallback}", remedy)


def check_disk(state: Path, keeping: Keeping) -> Check:
    """Whether the state folder's disk has its reserve, takes what is written, and has its ballast."""
    there = next((folder for folder in (state, *state.parents) if folder.is_dir()), Path("/"))
    disk = os.statvfs(there)
    free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    words = f"{free / 1e9:.1f} of {whole / 1e9:.1f} GB free for {state}"
    if disk.f_flag & os.ST_RDONLY:
        return Check("disk", "failed", f"it is read-only: {there}", "replace the card, or mount it for writing: dmesg says why")
    if free < keeping.reserve_bytes(whole):
        remedy = "remove what is no longer needed, put in a larger card, or set [storage] reserve_mb"
        return Check("disk", "failed", f"{words}, less than the reserve of {keeping.reserve_bytes(whole) / 1e9:.1f} GB", remedy)
    ballast = "" if Ballast(state).is_there() else "; no ballast yet, ronde sync makes it"
    return Check("disk", "ok", f"{words}{ballast}")


def check_outbox(file: Path, now: datetime | None = None) -> Check:
    """What waits for the backends, and what they refused or could not be delivered."""
    name = "outbox"
    if not file.is_file():
        return Check(name, "does not apply", f"{file} is made at the first round")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            waiting = db.execute("SELECT backend, count(*), min(created_at) FROM outbox GROUP BY backend").fetchall()
            refused = db.execute(
                "SELECT backend, stream, reason, count(*) FROM refused GROUP BY backend, stream, reason ORDER BY count(*) DESC"
            ).fetchall()
    except sqlite3.Error as error:
        return Check(name, "failed", f"{file}: {error}", "see the check of the database")
    age_h = {backend: _age_h(since, now or datetime.now(timezone.utc)) for backend, _, since in waiting}
    waits = (
        ", ".join(f"{count} for {backend}, the oldest for {age_h[backend]:.1f} h" for backend, count, _ in waiting) or "nothing"
    )
    if refused:
        all_ = sum(count for *_, count in refused)
        told = "; ".join(f"{count} {stream} by {backend}: {why}" for backend, stream, why, count in refused[:MOST_REASONS])
        remedy = f"tell the backend's people what it says; then empty the table refused of {file}"
        return Check(name, "failed", f"{all_} events were set aside in the table refused ({told}); waiting: {waits}", remedy)
    if max(age_h.values(), default=0.0) > OLD_H:
        remedy = "is the box ever where it has a network? journalctl -u ronde-sync says why the broker is not reached"
        return Check(name, "failed", f"waiting: {waits}", remedy)
    return Check(name, "ok", f"waiting: {waits}; none was refused")


def _age_h(made_at: str, now: datetime) -> float:
    """Never negative: the clock may have been set back since."""
    return max(0.0, (now - datetime.fromisoformat(made_at.replace("Z", "+00:00"))).total_seconds() / 3600)


def check_aside(file: Path) -> Check:
    """Databases that were set aside: why, and how much of them was salvaged."""
    name = "old databases"
    asides = aside_files(file) if file.parent.is_dir() else []
    if not asides:
        return Check(name, "ok", "none was ever set aside")
    told = "; ".join(_about(file, each) for each in asides)
    remedy = f"a card that damages files again has to be replaced; delete {file.name}.aside-* when nobody needs to examine them"
    return Check(name, "failed", told, remedy)


def _about(file: Path, aside: Path) -> str:
    key = aside.name.removesuffix(SALVAGED)
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            found = dict(db.execute("SELECT key, value FROM setting WHERE key IN (?, ?)", [f"aside/{key}", f"salvage/{key}"]))
    except sqlite3.Error:
        found = {}
    reason = json.loads(found[f"aside/{key}"])["reason"] if f"aside/{key}" in found else "nobody knows why"
    salvage = json.loads(found[f"salvage/{key}"]) if f"salvage/{key}" in found else {}
    events, of = salvage.get("rows", {}).get("outbox", 0), salvage.get("events_before")
    share = f"{events} of {'an unknown number of' if of is None else of} events salvaged"
    return f"{aside.name} ({reason}; {share}{'' if salvage.get('done') else ' so far'})"
