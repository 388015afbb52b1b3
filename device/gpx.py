"""The points of a GPX track as reports. Pure.

Speed and course are elements of a point in GPX 1.0 and gone in GPX 1.1, where receivers put them into extensions under the same
names. They are in m/s and degrees, and were measured by the receiver: Doppler.
"""

import re
from collections.abc import Iterator
from datetime import timezone
from typing import Any

import gpxpy
import gpxpy.gpx

from device.nmea import NO_FIX, accuracy_m
from device.tpv import FIX_2D, FIX_3D, Report, number

MODES = {"none": NO_FIX, "2d": FIX_2D, "3": FIX_3D, "3d": FIX_3D, "dgps": FIX_3D, "pps": FIX_3D}
"""By the point's `fix`. A point without one is a place that somebody wrote down: 3D."""

SATELLITES_2D = 3
"""Converters write `none` for each mode of a receiver that they do not know. Where as many satellites and an HDOP stand beside
it, there was a position; where they are missing, the last one is only repeated."""


class GpxUnreadable(Exception):
    """A document is no GPX; the message says why."""


def reports_of_gpx(document: str) -> list[Report]:
    """The points of all tracks and segments, in the order of the document.

    Raises:
        GpxUnreadable: it is no GPX, or a point has a place or a number that is none.
    """
    try:
        gpx = gpxpy.parse(document)
    except gpxpy.gpx.GPXException as error:
        raise GpxUnreadable(re.sub(r"\s+", " ", str(error))) from error
    return [_report(point) for track in gpx.tracks for segment in track.segments for point in segment.points]


def _report(point: gpxpy.gpx.GPXTrackPoint) -> Report:
    mode = _mode(point)
    speed_mps, course_deg = number(_said(point, "speed")), number(_said(point, "course"))
    taken_at = point.time
    return Report(
        mode=mode,
        latitude_deg=number(point.latitude),
        longitude_deg=number(point.longitude),
        accuracy_m=accuracy_m(_positive(point.horizontal_dilution), mode),
        speed_mps=speed_mps if speed_mps is not None and speed_mps >= 0.0 else None,
        course_deg=course_deg % 360.0 if course_deg is not None and 0.0 <= course_deg <= 360.0 else None,
        # GPX is UTC, also where a writer left the zone away.
        taken_at=None if taken_at is None else taken_at.replace(tzinfo=taken_at.tzinfo or timezone.utc).astimezone(timezone.utc),
        device=None,
    )


def _mode(point: gpxpy.gpx.GPXTrackPoint) -> int:
    mode = MODES.get(point.type_of_gpx_fix or "3d", NO_FIX)
    if mode == NO_FIX and (point.satellites or 0) >= SATELLITES_2D and _positive(point.horizontal_dilution):
        return FIX_2D
    return mode


def _positive(value: float | None) -> float | None:
    figure = number(value)
    return figure if figure is not None and figure > 0.0 else None


def _said(point: gpxpy.gpx.GPXTrackPoint, name: str) -> float | None:
    """The value of an element of GPX 1.0, else of an extension of that name in any namespace."""
    own: float | None = getattr(point, name)
    if own is not None:
        return own
    for element in _elements(point.extensions):
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == name:
            try:
                return float(element.text or "")
            except ValueError:
                continue
    return None


def _elements(extensions: list[Any]) -> Iterator[Any]:
    for extension in extensions:
        yield from extension.iter()
