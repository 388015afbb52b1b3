"""What a satellite receiver says by itself, in NMEA 0183, put together to reports. Pure.

A raw log is what came over the wire: sentences, cut ones, binary packets between them. A sentence is believed by its checksum
alone, so bytes that are not text cost nothing but themselves. Sentences that name the same time of day are one report, as gpsd
has it; one with another time ends it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pynmea2

from device.tpv import DEFAULT_ACCURACY_M, FIX_2D, FIX_3D, Report, number
from device.utc import moment_of

HDOP_M = 7.0
"""The radius that holds 95 % for an HDOP of 1, in metres: a ranging error of 4 m (one sigma, one frequency, a free street) times
2.448 / sqrt 2, since HDOP stands for the root of both axes' variances."""

AXES_TO_95 = 1.96
"""From the root of both axes' variances to the radius that holds 95 %, for any shape of the error: never less (device/tpv.py)."""

KNOT_MPS = 1852.0 / 3600.0
SATELLITES_3D = 4
NO_FIX = 1
DEAD_RECKONED = 6
"""GGA's quality where no satellite is seen and the receiver goes on by itself; RMC and GNS say `E`, estimated."""

SENTENCE = re.compile(rb"\$([A-Z]{2}(?:GGA|GNS|GSA|GST|RMC|ZDA),[ -#%-)+-~]{0,120})(?:\*([0-9A-Fa-f]{2}))?")
"""One of the sentences that are read. No dollar inside: a cut sentence must not swallow the next one."""

CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{0,12}))?", flags=re.ASCII)
TIMED = ("GGA", "GNS", "GST", "RMC", "ZDA")
"""Sentences whose first field is the time of day."""

HALF_DAY = timedelta(hours=12)


@dataclass
class Cycle:
    """What the sentences of one time of day said; None where none did. `valid` of each kind of sentence that says it."""

    clock: str
    date: tuple[int, int, int] | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    hdop: float | None = None
    error_m: float | None = None
    satellites: int | None = None
    mode: int | None = None
    valid: tuple[bool, ...] = ()
    dead_reckoned: bool = False

    def take(self, sentence: pynmea2.TalkerSentence) -> None:
        """Add what one more sentence says."""
        kind = sentence.sentence_type
        if kind in ("GGA", "GNS"):
            self._take_position(sentence, _quality(sentence))
            self.dead_reckoned |= _estimated(sentence)
            self.satellites = _whole(sentence.num_sats) if self.satellites is None else self.satellites
            self.hdop = _figure(sentence.horizontal_dil if kind == "GGA" else sentence.hdop) or self.hdop
        elif kind == "RMC":
            self._take_position(sentence, sentence.status == "A" and sentence.mode_indicator != "N")
            self.dead_reckoned |= sentence.mode_indicator == "E"
            knots = _figure(sentence.spd_over_grnd)
            self.speed_mps = knots * KNOT_MPS if knots is not None and knots >= 0.0 else None
            self.course_deg = _figure(sentence.true_course)
            self.date = _date(sentence.data[8]) if self.valid[-1] and len(sentence.data) > 8 else self.date
        elif kind == "GSA":
            # One a constellation: each has the mode of the whole solution, or 1 where it gave no satellite.
            self.mode = max(self.mode or NO_FIX, _whole(sentence.mode_fix_type) or NO_FIX)
        elif kind == "GST":
            sigmas = _figure(sentence.std_dev_latitude), _figure(sentence.std_dev_longitude)
            self.error_m = AXES_TO_95 * math.hypot(sigmas[0], sigmas[1]) if sigmas[0] and sigmas[1] else None
        elif kind == "ZDA" and self.date is None:
            day, month, year = (_whole(part) for part in (*sentence.data[1:4], "", "", "")[:3])
            self.date = (year, month, day) if year and month and day else None

    def _take_position(self, sentence: pynmea2.TalkerSentence, valid: bool) -> None:
        self.valid = (*self.valid, valid)
        latitude_deg, longitude_deg = _angle(sentence.lat, sentence.lat_dir), _angle(sentence.lon, sentence.lon_dir)
        if latitude_deg is not None and longitude_deg is not None:
            self.latitude_deg, self.longitude_deg = latitude_deg, longitude_deg

    def report(self, taken_at: datetime | None) -> Report:
        """The report of the whole cycle. There is a fix only if every sentence that says so agrees."""
        seen = FIX_3D if (self.satellites or 0) >= SATELLITES_3D else FIX_2D
        mode = min(self.mode or seen, FIX_3D) if self.valid and all(self.valid) else NO_FIX
        return Report(
            mode=mode,
            latitude_deg=self.latitude_deg,
            longitude_deg=self.longitude_deg,
            accuracy_m=self.error_m or accuracy_m(self.hdop, mode),
            speed_mps=self.speed_mps,
            course_deg=self.course_deg % 360.0 if self.course_deg is not None and 0.0 <= self.course_deg <= 360.0 else None,
            taken_at=taken_at,
            device=None,
            dead_reckoned=self.dead_reckoned,
        )


def accuracy_m(hdop: float | None, mode: int) -> float:
    """The radius that holds 95 %, in metres, by HDOP; without one, by the mode."""
    return hdop * HDOP_M if hdop else DEFAULT_ACCURACY_M.get(mode, DEFAULT_ACCURACY_M[FIX_2D])


def reports_of_nmea(log: bytes) -> tuple[list[Report], Counter[str]]:
    """The reports in a receiver's raw log, and how many sentences were cut or altered (`bad_line`)."""
    rejected: Counter[str] = Counter()
    days = _Days()
    reports = [cycle.report(days.moment(cycle)) for cycle in _cycles(_sentences(log, rejected))]
    return reports, rejected


class _Days:
    """The date of cycles that do not say it: that of the cycle before, one day on where midnight lies between."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    def moment(self, cycle: Cycle) -> datetime | None:
        date = cycle.date
        if date is None and self._last is not None:
            date = (self._last.year, self._last.month, self._last.day)
        moment = _moment(date, cycle.clock) if date is not None else None
        if moment is None:
            return None
        if cycle.date is None and self._last is not None and self._last - moment > HALF_DAY:
            moment += timedelta(days=1)
        self._last = moment
        return moment


def _sentences(log: bytes, rejected: Counter[str]) -> Iterator[pynmea2.TalkerSentence]:
    for match in SENTENCE.finditer(log):
        if match[2] is None:
            rejected["bad_line"] += 1
            continue
        try:
            yield pynmea2.parse(match[0].decode("ascii"), check=True)
        except pynmea2.ParseError:
            rejected["bad_line"] += 1


def _cycles(sentences: Iterator[pynmea2.TalkerSentence]) -> Iterator[Cycle]:
    cycle: Cycle | None = None
    for sentence in sentences:
        clock = sentence.data[0] if sentence.sentence_type in TIMED else None
        if clock is not None and (cycle is None or not _same(clock, cycle.clock)):
            if cycle is not None:
                yield cycle
            cycle = Cycle(clock)
        if cycle is not None:
            cycle.take(sentence)
    if cycle is not None:
        yield cycle


def _same(clock: str, other: str) -> bool:
    """Whether two times of day are one: 204132.00 is 204132.000. Two empty ones are: a receiver without a time has one cycle."""
    return clock == other or (_clock(clock) is not None and _clock(clock) == _clock(other))


def _clock(text: str) -> tuple[int, int, int, int] | None:
    """Hour, minute, second and microsecond of hhmmss.sss."""
    match = CLOCK.fullmatch(text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3]), int((match[4] or "").ljust(6, "0")[:6])


def _moment(date: tuple[int, int, int], clock: str) -> datetime | None:
    parts = _clock(clock)
    return moment_of(date, parts[:3], parts[3]) if parts is not None else None


def _date(text: str) -> tuple[int, int, int] | None:
    """Year, month, day of ddmmyy. The years 80 to 99 are of the last century: satellite positioning is not older."""
    if len(text) != 6 or not (text.isascii() and text.isdigit()):
        return None
    year = int(text[4:])
    return (1900 if year >= 80 else 2000) + year, int(text[2:4]), int(text[:2])


def _quality(sentence: pynmea2.TalkerSentence) -> bool:
    """Whether GGA or GNS says that there is a fix. GNS has a letter a constellation."""
    if sentence.sentence_type == "GGA":
        return (_whole(sentence.data[5]) or 0) > 0 if len(sentence.data) > 5 else False
    return any(letter != "N" for letter in sentence.mode_indicator)


def _estimated(sentence: pynmea2.TalkerSentence) -> bool:
    """Whether GGA or GNS says that no satellite saw the position: by none of the constellations."""
    if sentence.sentence_type == "GGA":
        return len(sentence.data) > 5 and _whole(sentence.data[5]) == DEAD_RECKONED
    return "E" in sentence.mode_indicator and set(sentence.mode_indicator) <= {"E", "N"}


def _angle(text: str, side: str) -> float | None:
    """Degrees of dddmm.mmmm and N, S, E or W."""
    sign = {"N": 1.0, "E": 1.0, "S": -1.0, "W": -1.0}.get(side)
    if sign is None or not text:
        return None
    try:
        return sign * float(pynmea2.dm_to_sd(text))
    except ValueError:
        return None


def _figure(value: object) -> float | None:
    """A finite number; the library gives back the text of a field that is none."""
    try:
        return number(float(value)) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _whole(value: object) -> int | None:
    figure = _figure(value)
    return int(figure) if figure is not None else None
