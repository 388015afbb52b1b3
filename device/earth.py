"""Metres and angles on the ground. Pure.

Within half a degree the ground is a plane with the radii of curvature of WGS 84 at the middle latitude, which is right to a few
millimetres per kilometre; beyond, it is a sphere (0.5 % at worst), which is enough to see that a position is impossible.
"""

import math

WGS84_A_M = 6_378_137.0
WGS84_E2 = 0.006_694_379_990_14
MEAN_RADIUS_M = 6_371_008.8
PLANE_LIMIT_DEG = 0.5
"""Farther apart than this, the sphere is used."""


def distance_m(from_latitude_deg: float, from_longitude_deg: float, to_latitude_deg: float, to_longitude_deg: float) -> float:
    """Distance between two positions, in metres; across the antimeridian too."""
    d_latitude = to_latitude_deg - from_latitude_deg
    d_longitude = turn_deg(to_longitude_deg - from_longitude_deg)
    if abs(d_latitude) > PLANE_LIMIT_DEG or abs(d_longitude) > PLANE_LIMIT_DEG:
        return _great_circle_m(from_latitude_deg, to_latitude_deg, d_longitude)
    return math.hypot(*east_north_m(from_latitude_deg, from_longitude_deg, to_latitude_deg, to_longitude_deg))


def east_north_m(
    from_latitude_deg: float, from_longitude_deg: float, to_latitude_deg: float, to_longitude_deg: float
) -> tuple[float, float]:
    """Metres east and north from the first position to the second, on the plane between them; for neighbours only."""
    per_longitude_m, per_latitude_m = _metres_per_deg((from_latitude_deg + to_latitude_deg) / 2.0)
    return (
        turn_deg(to_longitude_deg - from_longitude_deg) * per_longitude_m,
        (to_latitude_deg - from_latitude_deg) * per_latitude_m,
    )


def offset(latitude_deg: float, longitude_deg: float, east_m: float, north_m: float) -> tuple[float, float]:
    """The position `east_m` and `north_m` from another: the inverse of `east_north_m`."""
    per_latitude_m = _metres_per_deg(latitude_deg)[1]
    to_latitude_deg = latitude_deg + north_m / per_latitude_m
    # The radii belong to the middle latitude, which is known only now.
    per_longitude_m, per_latitude_m = _metres_per_deg((latitude_deg + to_latitude_deg) / 2.0)
    return latitude_deg + north_m / per_latitude_m, turn_deg(longitude_deg + east_m / per_longitude_m)


def bearing_deg(from_latitude_deg: float, from_longitude_deg: float, to_latitude_deg: float, to_longitude_deg: float) -> float:
    """Direction from the first position to the second, clockwise from true north, 0 <= bearing < 360; for neighbours only."""
    east_m, north_m = east_north_m(from_latitude_deg, from_longitude_deg, to_latitude_deg, to_longitude_deg)
    # Twice, since a tiny negative angle modulo 360 rounds to 360 itself.
    return math.degrees(math.atan2(east_m, north_m)) % 360.0 % 360.0


def along(course_deg: float, length_m: float) -> tuple[float, float]:
    """East and north metres of a length along a course."""
    angle = math.radians(course_deg)
    return length_m * math.sin(angle), length_m * math.cos(angle)


def turn_deg(angle_deg: float) -> float:
    """The same angle from -180 up to, but without, 180: a turn to the right is positive."""
    if -180.0 <= angle_deg < 180.0:
        return angle_deg
    return (angle_deg + 180.0) % 360.0 - 180.0


def _metres_per_deg(latitude_deg: float) -> tuple[float, float]:
    """Metres of a degree of longitude and of latitude: the prime vertical's and the meridian's radius of curvature."""
    sine = math.sin(math.radians(latitude_deg))
    root = math.sqrt(1.0 - WGS84_E2 * sine * sine)
    prime_m = WGS84_A_M / root
    meridian_m = WGS84_A_M * (1.0 - WGS84_E2) / root**3
    # Never zero: at a pole every longitude is the same place, and a division must survive it.
    cosine = max(math.cos(math.radians(latitude_deg)), 1e-9)
    return math.radians(prime_m * cosine), math.radians(meridian_m)


def _great_circle_m(from_latitude_deg: float, to_latitude_deg: float, d_longitude_deg: float) -> float:
    """Haversine distance on the mean sphere (Sinnott 1984)."""
    phi_0, phi_1 = math.radians(from_latitude_deg), math.radians(to_latitude_deg)
    half = math.sin((phi_1 - phi_0) / 2.0) ** 2
    half += math.cos(phi_0) * math.cos(phi_1) * math.sin(math.radians(d_longitude_deg) / 2.0) ** 2
    return 2.0 * MEAN_RADIUS_M * math.asin(math.sqrt(min(1.0, max(0.0, half))))
