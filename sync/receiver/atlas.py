"""What a receiver has stored, for a map: read only, and the same for each database.

    with closing(open_atlas("sqlite:///town.db")) as atlas:
        page = atlas.findings(box=Box(7.0, 43.5, 7.1, 43.6), labels=["pothole"])
        more = atlas.findings(box=Box(7.0, 43.5, 7.1, 43.6), labels=["pothole"], after=page[-1].seq)

An atlas may be used from several threads; their calls wait for each other.
"""

import json
from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Final

from sync.receiver.asking import LIMIT, MOST, Condition, asked, most, one_of, since_time
from sync.receiver.kinds import is_text
from sync.receiver.seen import Box, Changes, FindingSeen, RoundDriven, StretchGraded, TrackDriven, UnitHeard
from sync.receiver.thing_atlas import ThingAtlas
from sync.receiver.things import MOST_STRETCHES

# In the order of the fields of what they become.
FINDING: Final = (
    "SELECT seq, source, finding_id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, area_m2, severity, "
    "frames, time, seen_at, position_source, heading_deg, EXISTS (SELECT 1 FROM evidence WHERE "
    "evidence.finding_id = finding.finding_id AND evidence.source = finding.source), "
    "CASE WHEN label = 'hazard' THEN (SELECT data FROM event WHERE event.seq = finding.seq) END FROM "
)
TRACK: Final = 'SELECT seq, source, round_id, time, "from", "to", length_m, frames, filled_m, gaps, geojson FROM '
GRADE: Final = "SELECT seq, n, source, round_id, time, from_m, to_m, grade, low, high, coverage, cells, reasons, geojson FROM "
UNIT: Final = (
    "SELECT source, heard_at, connection, connection_at, boot, software, health_at, health_state, reasons, health_uptime_s, "
    "health_fix_age_s, health_frames, health_refused, health_disk_free_bytes, health_temperature_c, health_time_source, "
    "outbox_rows, outbox_oldest_s FROM unit ORDER BY source"
)
ROUND: Final = (
    "SELECT source, round_id, began_at, ended_at, findings, length_m, last_seq, joined_seq FROM round "
    "ORDER BY began_at DESC LIMIT ?"
)
PHOTO: Final = "SELECT source, finding_id FROM evidence WHERE finding_id IS NOT NULL AND seq > ? AND seq <= ? ORDER BY seq"


class Atlas(ThingAtlas):
    """Every question may raise `DatabaseFailed` (it may work again by itself), and `ValueError` for what nobody can ask."""

    @abstractmethod
    def close(self) -> None:
        """Closes the database."""

    @abstractmethod
    def _picture(self, seq: int) -> bytes | None:
        """The picture that an event carried."""

    @abstractmethod
    def _lines(self, box: Box) -> Condition:
        """That the rectangle around a line touches a box."""

    def findings(
        self,
        *,
        box: Box | None = None,
        labels: Collection[str] = (),
        rounds: Collection[str] = (),
        since: str | None = None,
        limit: int = LIMIT,
        after: int = 0,
    ) -> Sequence[FindingSeen]:
        """Findings after number `after`, in the order of their arrival; an empty filter leaves all. `since` is a time."""
        table, where = "finding", [*_chosen(after, rounds, since), *one_of("label", labels)]
        if box is not None:
            table, inside = self._points(box, "finding")
            where.append(inside)
        return [_finding(row) for row in self._some(FINDING + table, where, "seq", limit)]

    def finding(self, seq: int) -> FindingSeen | None:
        """The finding with this number."""
        return next((_finding(row) for row in self._some(FINDING + "finding", [("seq = ?", [seq])], "seq", 1)), None)

    def tracks(
        self,
        *,
        box: Box | None = None,
        rounds: Collection[str] = (),
        since: str | None = None,
        limit: int = LIMIT,
        after: int = 0,
    ) -> Sequence[TrackDriven]:
        """Pieces of track, chosen as findings are."""
        where = [*_chosen(after, rounds, since), *([] if box is None else [self._lines(box)])]
        return [_track(row) for row in self._some(TRACK + "track", where, "seq", limit)]

    def grades(
        self,
        *,
        box: Box | None = None,
        rounds: Collection[str] = (),
        since: str | None = None,
        limit: int = MOST,
        after: int = 0,
    ) -> Sequence[StretchGraded]:
        """Graded stretches, chosen as findings are; those of an event come together: up to `MOST_STRETCHES` may always come."""
        where = [*_chosen(after, rounds, since), *([] if box is None else [self._lines(box)])]
        rows = self._some(GRADE + "grade", where, "seq, n", at_most := max(_most(limit), MOST_STRETCHES))
        if len(rows) == at_most and rows[0][0] != rows[-1][0]:  # the last event may go on
            rows = [row for row in rows if row[0] != rows[-1][0]]
        return [_stretch(row) for row in rows]

    def rounds(self, limit: int = LIMIT) -> Sequence[RoundDriven]:
        """The latest rounds, the last one first."""
        return [RoundDriven(*row) for row in self._rows(ROUND, [_most(limit)])]

    def units(self) -> Sequence[UnitHeard]:
        """All units by name. It costs little: ask again every few seconds who is connected."""
        return [UnitHeard(*(*row[:8], _list(row[8]), *row[9:])) for row in self._rows(UNIT, [])]

    def newest(self) -> int:
        """The number of the latest event, 0 where there is none: the first `after` of a page that has just been loaded."""
        return int(self._rows("SELECT COALESCE(max(seq), 0) FROM event", [])[0][0])

    def changes(self, after: int, limit: int = LIMIT) -> Changes:
        """What the next `limit` events after number `after` tell. Nothing that is stored later is missed."""
        upper = "SELECT max(seq) FROM (SELECT seq FROM event WHERE seq > ? ORDER BY seq LIMIT ?) AS batch"
        seq = self._rows(upper, [after, _most(limit)])[0][0]
        if seq is None:
            return Changes(after, (), (), (), ())
        new: list[Condition] = [_after(after), ("seq <= ?", [seq])]
        return Changes(
            seq,
            [_finding(row) for row in self._some(FINDING + "finding", new, "seq", MOST)],
            [_track(row) for row in self._some(TRACK + "track", new, "seq", MOST)],
            [_stretch(row) for row in self._some(GRADE + "grade", new, "seq, n", MOST_STRETCHES * MOST)],
            [(source, finding_id) for source, finding_id in self._rows(PHOTO, [after, seq])],
        )

    def photo(self, finding_id: str, source: str | None = None) -> bytes | None:
        """The JPEG that shows a finding, the latest one; None where none has come. Units that replay one drive share ids."""
        where: list[Condition] = [("finding_id = ?", [finding_id]), *([] if source is None else [("source = ?", [source])])]
        rows = self._some("SELECT seq FROM evidence", where, "seq DESC", 1)
        return None if not rows else self._picture(rows[0][0])

    def _some(self, select: str, where: Sequence[Condition], order: str, limit: int) -> Sequence[Sequence[Any]]:
        return self._rows(*asked(select, where, order, _most(limit)))


def _most(limit: int) -> int:
    return most(limit, MOST_STRETCHES * MOST)


def _chosen(after: int, rounds: Collection[str], since: str | None) -> list[Condition]:
    return [_after(after), *one_of("round_id", rounds), *since_time("time", since)]


def _after(after: int) -> Condition:
    return "seq > ?", [after]


def _finding(row: Sequence[Any]) -> FindingSeen:
    return FindingSeen(*(*row[:-2], bool(row[-2]), None if row[-1] is None else _note(_read(row[-1]))))


def _note(data: Any) -> str | None:
    """What a driver says of a hazard, in the data of its event; it comes from outside."""
    properties = data.get("properties") if isinstance(data, dict) else None
    note = properties.get("note") if isinstance(properties, dict) else None
    return note if is_text(note) else None


def _track(row: Sequence[Any]) -> TrackDriven:
    return TrackDriven(*(*row[:-2], _list(row[-2]), _line(row[-1])))


def _stretch(row: Sequence[Any]) -> StretchGraded:
    return StretchGraded(*(*row[:-2], _read(row[-2]), _line(row[-1])))


def _read(value: Any) -> Any:
    """What stands in the database as JSON text, or what its driver has read already."""
    return json.loads(value) if isinstance(value, str) else value


def _list(value: Any) -> list[Any]:
    """The same; nothing where a unit has not said it yet."""
    read = _read(value)
    return read if isinstance(read, list) else []


def _line(geometry: str) -> list[tuple[float, float]]:
    return [(longitude_deg, latitude_deg) for longitude_deg, latitude_deg in json.loads(geometry)["coordinates"]]
