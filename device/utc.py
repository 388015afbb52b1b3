"""UTC as gpsd, a recorded drive and EXIF write it, and seconds since 1970. Pure.

`datetime.fromisoformat` of Python 3.10 knows neither the `Z` nor a fraction of any length nor a leap second; receivers send all.
"""

import re
from datetime import datetime, timedelta, timezone

ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?(?:[Zz]|([+-])(\d\d):?(\d\d))", flags=re.ASCII
)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parse_utc(text: str) -> datetime | None:
    """The moment that an ISO 8601 text with a zone (`Z` or an offset) names, in UTC; None where it names none.

    Second 60 is the first of the next minute. Digits beyond the microsecond are dropped.
    """
    match = ISO.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, off_hours, off_minutes = match.groups()[6:]
    moment = moment_of((year, month, day), (hour, minute, second), int((fraction or "0").ljust(6, "0")[:6]))
    if moment is None or sign is None:
        return moment
    if int(off_hours) > 23 or int(off_minutes) > 59:
        return None
    ahead = timedelta(hours=int(off_hours), minutes=int(off_minutes))
    try:
        return moment - ahead if sign == "+" else moment + ahead
    except OverflowError:
        return None


def moment_of(date: tuple[int, int, int], clock: tuple[int, int, int], microsecond: int = 0) -> datetime | None:
    """The UTC moment of year, month, day and hour, minute, second (60 as in `parse_utc`); None where there is no such moment."""
    hour, minute, second = clock
    if not 0 <= second <= 60:
        return None
    try:
        moment = datetime(*date, hour, minute, min(second, 59), microsecond, tzinfo=timezone.utc)
        return moment + timedelta(seconds=1) if second == 60 else moment
    except (ValueError, OverflowError):
        return None


def unix_s(moment: datetime) -> float:
    """Seconds since 1970 of an aware moment, to the microsecond."""
    return (moment - EPOCH).total_seconds()


def iso_ms(moment: datetime) -> str:
    """ISO 8601 UTC with milliseconds and `Z`, as everything that ronde writes has it."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
