"""Which reports make sense by themselves, whatever came before. Pure."""

from datetime import datetime, timedelta, timezone

from device.positions import SPEED_LIMIT_MPS, Position
from device.refusal import Reason
from device.tpv import FIX_2D, Report

BUILT_AT = datetime(2025, 1, 1, tzinfo=timezone.utc)
"""No round of this software is older; receivers that lost count of the weeks say 1024 or 2048 weeks too early. A recording may be
older, so whoever asks passes the date."""

SERVICE = timedelta(weeks=1024)
"""How long after `BUILT_AT` this software believes a date: 19.6 years. Satellites count weeks in ten bits, so receivers and gpsd
(which adds weeks to dates before its own build) are wrong by whole multiples of 1024 weeks. Of all those dates exactly one lies
in a window of 1024 weeks: in it the true one is believed and none of its doubles, for the longest service that ten bits allow."""

NEWEST = BUILT_AT + SERVICE

ACCURACY_LIMIT_M = 60.0
"""gpsd 3.22 says eph = 19 m x HDOP for a plain NMEA receiver: 20 to 45 m in ordinary streets, where the true error is a third.
A limit of 30 m would refuse most of a town; beyond 60 m, HDOP is over 3."""

NO_PLACE_DEG = 1e-4
"""Nearer than this to 0, 0 there is no road but many a receiver without a position."""


def sound(report: Report, arrival_boot_s: float, oldest: datetime = BUILT_AT) -> Position | Reason:
    """The position of a report that makes sense by itself, or why it does not. Its `boot_s` is that of its arrival."""
    reason = _nonsense(report) or _useless(report, oldest)
    if reason is not None:
        return reason
    assert report.latitude_deg is not None
    assert report.longitude_deg is not None
    assert report.taken_at is not None
    return Position(
        latitude_deg=report.latitude_deg,
        longitude_deg=report.longitude_deg,
        accuracy_m=report.accuracy_m,
        speed_mps=report.speed_mps,
        course_deg=report.course_deg,
        taken_at=report.taken_at,
        boot_s=arrival_boot_s,
    )


def _nonsense(report: Report) -> Reason | None:
    """Why a report has no place."""
    if report.mode < FIX_2D:
        return "no_mode"
    if report.dead_reckoned:
        return "dead_reckoning"
    latitude_deg, longitude_deg = report.latitude_deg, report.longitude_deg
    if latitude_deg is None or longitude_deg is None:
        return "no_position"
    if abs(latitude_deg) > 90.0 or abs(longitude_deg) > 180.0:
        return "out_of_range"
    return "position_zero" if max(abs(latitude_deg), abs(longitude_deg)) < NO_PLACE_DEG else None


def _useless(report: Report, oldest: datetime) -> Reason | None:
    """Why a place is none that a car of a town can use."""
    if report.taken_at is None:
        return "no_time"
    if report.taken_at < oldest:
        return "time_before_build"
    if report.taken_at >= NEWEST:
        return "time_after_service"
    if report.accuracy_m > ACCURACY_LIMIT_M:
        return "eph_over_limit"
    return "too_fast" if report.speed_mps is not None and report.speed_mps > SPEED_LIMIT_MPS else None
