"""The fixes of a recorded drive, through the same gate as in the car."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from device.drive_frames import DriveRefused
from device.fix import Fix, SpeedSource
from device.gate import FixGate
from device.gpx import GpxUnreadable, reports_of_gpx
from device.lines import LineSplitter
from device.nmea import reports_of_nmea
from device.positions import Position, with_speeds
from device.tpv import LineUnreadable, Report, parse_line, report_of
from device.utc import unix_s

OLDEST = datetime(2000, 5, 2, tzinfo=timezone.utc)
"""A recording may be older than this software, but not older than the end of Selective Availability: until then every civil
position was off by up to 100 m. A receiver that lost 1024 weeks in April 2019 says a date before it until that December."""

DRIVE_GAP = timedelta(days=1)
"""Reports farther apart than this are of no one drive: the date of the smaller part is wrong."""

PIECE = 1 << 20

FIXES_JSONL, FIXES_NMEA, TRACK_GPX = "fixes.jsonl", "fixes.nmea", "track.gpx"
TRACKS = (FIXES_JSONL, FIXES_NMEA, TRACK_GPX)
"""The files that a drive may have its fixes in."""


class Track(NamedTuple):
    """The fixes of a drive with their arrival, in order; `boot_s` and arrival in seconds since 1970.

    `positions` is what the receiver said of each accepted place, before any speed was derived.
    """

    fixes: list[tuple[Fix, float]]
    positions: list[Position]
    speed_source: SpeedSource
    rejected: dict[str, int]


def read_track(file: Path) -> Track:
    """The fixes of a track alone, without a drive around it.

    Raises:
        DriveRefused: the file cannot be read.
    """
    return track_of(*read_reports(file))


def read_reports(file: Path) -> tuple[list[Report], Counter[str]]:
    """The reports of a track, and how much of it was none, by reason.

    By the file's name: `.gpx` is GPX, `.nmea` and `.log` are a receiver's raw sentences, all else is gpsd's JSON.

    Raises:
        DriveRefused: the file cannot be read.
    """
    kind = file.suffix.lower()
    try:
        if kind == ".gpx":
            return reports_of_gpx(file.read_text(encoding="utf-8-sig")), Counter()
        if kind in (".nmea", ".log"):
            return reports_of_nmea(file.read_bytes())
        return _reports_of_gpsd(file)
    except (OSError, UnicodeDecodeError) as error:
        raise DriveRefused(f"{file} cannot be read: {error}") from error
    except GpxUnreadable as error:
        raise DriveRefused(f"{file} is no GPX: {error}") from error


def _reports_of_gpsd(file: Path) -> tuple[list[Report], Counter[str]]:
    """The reports of a file of gpsd's JSON, one object a line, and how many lines were none, by reason."""
    rejected: Counter[str] = Counter()
    splitter = LineSplitter()
    reports: list[Report] = []
    for line in _lines(file, splitter):
        message = _message(line)
        report = report_of(message) if message is not None else None
        rejected["bad_line"] += message is None
        reports += [report] if report is not None else []
    if splitter.dropped:
        rejected["long_line"] = splitter.dropped
    return reports, rejected


def track_of(reports: Sequence[Report], rejected: Mapping[str, int] = MappingProxyType({})) -> Track:
    """What of the reports is a fix. A recording does not say when a report arrived, so each arrives at the time that it names.

    Where no report has a speed, all are derived from the positions.
    """
    counts = Counter(rejected)
    in_time = _of_one_drive(reports, counts)
    gate = FixGate(OLDEST)
    has_speed = any(report.speed_mps is not None for report in in_time)
    taken = [(report, unix_s(report.taken_at) if report.taken_at else 0.0) for report in in_time]
    if has_speed:
        accepted = [fix for each in taken for fix in gate.accept(*each)]
        fixes = [(fix, fix.boot_s) for fix in accepted]
        positions = [_position(fix) for fix in accepted]
    else:
        positions = [position for each in taken for position in gate.admit(*each)]
        fixes = with_speeds(positions)
        counts["no_speed"] += len(positions) - len(fixes)
    return Track(fixes, positions, "doppler" if has_speed else "positions", dict(+(counts + Counter(gate.rejected))))


def _of_one_drive(reports: Sequence[Report], counts: Counter[str]) -> list[Report]:
    """The reports without those whose date is days away from most others' (1024 weeks, 20 years): a wrong date, not a drive.

    Reports without a time pass: the gate refuses them by their reason.
    """
    times = sorted(report.taken_at for report in reports if report.taken_at is not None)
    if not times:
        return list(reports)
    groups: list[list[datetime]] = [[times[0]]]
    for earlier, later in pairwise(times):
        if later - earlier > DRIVE_GAP:
            groups.append([])
        groups[-1].append(later)
    # Of two parts of the same size the newer is believed: receivers lose weeks, they do not gain them.
    most = max(groups, key=lambda group: (len(group), group[-1]))
    kept = [report for report in reports if report.taken_at is None or most[0] <= report.taken_at <= most[-1]]
    counts["time_jumped"] += len(reports) - len(kept)
    return kept


def _message(line: bytes) -> Mapping[str, Any] | None:
    try:
        return parse_line(line)
    except LineUnreadable:
        return None


def _position(fix: Fix) -> Position:
    return Position(
        fix.latitude_deg,
        fix.longitude_deg,
        fix.accuracy_m,
        fix.speed_mps,
        fix.course_deg,
        fix.taken_at,
        fix.boot_s,
    )


def _lines(file: Path, splitter: LineSplitter) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            yield from splitter.feed(piece)
    last = splitter.flush()
    if last:
        yield last
