"""An alert as rows and events: its beginning, its picture, its end."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlite_utils import Database

from device.earth import offset
from inference.alert import RULE, Over
from inference.incident import Incident
from provisioning.authorisation import FIRE
from sync.event import DECIMALS, Event, event_id, iso, now, position
from sync.evidence_wanted import Wish, want
from sync.outbox import Outbox
from sync.round_store import Recipients
from sync.rows import insert

Ended = Over | Literal["unit_stopped"]
"""Why an alert is over; `unit_stopped`: the unit lost its power, or its database, before it could see."""


class AlertTeller:
    """Rows and events of alerts, inside the caller's transaction."""

    def __init__(self, db: Database, round_id: str, recipients: Recipients) -> None:
        self._db = db
        self._round_id = round_id
        self._recipients = recipients

    def id_of(self, incident: Incident) -> str:
        """Of the alert: the round's, and its number in it."""
        return f"{self._round_id}-a{incident.number}"

    def begin(self, incident: Incident, sha256: str) -> None:
        """It is told for the first time; `sha256` is the model's."""
        insert(
            self._db,
            "alert",
            id=self.id_of(incident),
            round_id=self._round_id,
            model=sha256,
            best_frame_id=incident.best_frame_id,
            first_seen_at=_iso(incident.first.taken_at),
            **_columns(incident),
        )
        self._tell(self.id_of(incident), "began", incident.first.taken_at)
        if self._recipients.want("evidence") and incident.place.taken_at is not None:
            assert incident.number is not None
            wish = Wish(
                self.id_of(incident),
                f"{self._round_id}/alert",
                incident.number,
                incident.best_frame_id,
                incident.best.box,
                incident.place.taken_at,
            )
            want(self._db, wish)

    def end(self, incident: Incident, why: Ended, at: datetime | None) -> None:
        """It is over, with all that was seen of it."""
        columns = _columns(incident)
        sets = ", ".join(f"{name} = ?" for name in columns)
        self._db.conn.execute(
            f"UPDATE alert SET {sets} WHERE id = ?",  # noqa: S608 - our own names
            [*columns.values(), self.id_of(incident)],
        )
        self.close(self.id_of(incident), why, at)

    def close(self, id_: str, why: Ended, at: datetime | None) -> None:
        """It is over, with what stands in its row."""
        (seen_at,) = self._db.conn.execute("SELECT seen_at FROM alert WHERE id = ?", [id_]).fetchone()
        self._db.conn.execute("UPDATE alert SET ended_at = ?, over = ? WHERE id = ?", [_iso(at) or seen_at or now(), why, id_])
        self._tell(id_, "ended", at)

    def _tell(self, id_: str, state: Literal["began", "ended"], at: datetime | None) -> None:
        unit = self._recipients.unit
        if unit is None:
            return
        names = [column[0] for column in self._db.conn.execute("SELECT * FROM alert LIMIT 0").description]
        row = dict(zip(names, self._db.conn.execute("SELECT * FROM alert WHERE id = ?", [id_]).fetchone(), strict=True))
        photo = self._db.conn.execute(
            "SELECT sha256, latitude_deg, longitude_deg, heading_deg, position_source FROM frame WHERE id = ?",
            [row["best_frame_id"]],
        ).fetchone()
        number = int(id_.rsplit("-a", 1)[1])
        time = at or _moment(row["ended_at"] or row["first_seen_at"])
        event = Event(
            unit,
            "alert",
            event_id(unit, "alert", self._round_id, 2 * number + (state == "ended")),
            time,
            alert_data(row, state, photo),
            id_,
        )
        Outbox(self._db).put(event, self._recipients.backends)


def alert_data(row: Mapping[str, Any], state: Literal["began", "ended"], photo: Sequence[Any] | None) -> dict[str, Any]:
    """An alert as a GeoJSON Feature: the point is the fire. `photo`: sha256, place, heading and source of place of its frame."""
    sha256, latitude_deg, longitude_deg, heading_deg, source = photo or (None,) * 5
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": position(row["latitude_deg"], row["longitude_deg"])},
        "properties": {
            "alert_id": row["id"],
            "round_id": row["round_id"],
            "event": FIRE,
            "label": row["label"],
            "state": state,
            "over": row["over"],
            "rule": RULE,
            "score": round(row["score"], 4),
            "uncertainty_m": round(row["uncertainty_m"], 1),
            "frames": row["frames"],
            "first_seen_at": row["first_seen_at"],
            "seen_at": row["seen_at"],
            "ended_at": row["ended_at"],
            "model": row["model"],
            "position_source": source,
            "photo_sha256": sha256,
            "camera": None
            if latitude_deg is None or longitude_deg is None
            else {
                "latitude_deg": round(latitude_deg, DECIMALS),
                "longitude_deg": round(longitude_deg, DECIMALS),
                "heading_deg": None if heading_deg is None else round(heading_deg % 360, 1) % 360,
            },
        },
    }


def _columns(incident: Incident) -> dict[str, Any]:
    """What changes while an alert goes on. Its place is told from the camera of its best frame."""
    latitude_deg, longitude_deg = _place(incident)
    return {
        "label": incident.label,
        "score": incident.score,
        "latitude_deg": latitude_deg,
        "longitude_deg": longitude_deg,
        "uncertainty_m": incident.radius_95_m(),
        "frames": incident.frames,
        "seen_at": _iso(incident.seen.taken_at),
    }


def _place(incident: Incident) -> tuple[float, float]:
    east_m, north_m, _ = incident.spot()
    place = incident.place
    return offset(place.latitude_deg, place.longitude_deg, east_m - incident.at.east_m, north_m - incident.at.north_m)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
