"""Losses of fix that were cut into recorded drives: the stated radius holds the place that the receiver gave (docs/adr/0008)."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from device.drive_track import read_track
from device.earth import distance_m
from device.odometer import LOST_S, Odometer

DRIVES = ("delft-car-1hz", "stockholm-car-1hz", "paloalto-car-1hz")
JITTER_M = 1.5
"""What a receiver's neighbouring places differ by; the 13 m that it says of itself are left out, since both ends share them."""

MOVES_MPS = 1.0
LEAST_M = 12.0


def cut(fixes, seconds):
    """Losses of so many seconds, each a third of one after the last: the stretch across, and the fixes that were taken out."""
    times = [fix.boot_s for fix in fixes]
    start = 0
    while (end := int(np.searchsorted(times, times[start] + seconds))) < len(fixes):
        whole = max(b - a for a, b in pairwise(times[start : end + 1])) <= LOST_S
        if whole and min(fixes[start].speed_mps, fixes[end].speed_mps) >= MOVES_MPS:
            odometer = Odometer()
            odometer.advance(fixes[start])
            stretch = odometer.advance(fixes[end])
            if stretch.length_m > LEAST_M:
                yield stretch, fixes[start + 1 : end]
        start += max(1, seconds // 3)


@pytest.fixture(scope="module")
def held(ronde_data):
    """Per length of loss: for each place taken out, whether the radius holds it, and how far it is off."""
    found = defaultdict(list)
    for name in DRIVES:
        fixes = [fix for fix, _ in read_track(ronde_data / "tracks" / f"{name}.gpx").fixes]
        for seconds in (6, 12, 20, 30, 50, 100):
            for stretch, out in cut(fixes, seconds):
                said_m = max(stretch.start.fix.accuracy_m, stretch.end.fix.accuracy_m)
                for fix in out:
                    place = stretch.place_at(fix.boot_s)
                    off_m = distance_m(place.latitude_deg, place.longitude_deg, fix.latitude_deg, fix.longitude_deg)
                    radius_m = np.hypot(JITTER_M, np.sqrt(max(0.0, place.accuracy_m**2 - said_m**2)))
                    found[seconds].append((off_m <= radius_m, off_m, radius_m))
    for seconds, places in found.items():
        inside, off_m, radius_m = np.array(places, float).T
        print(
            f"{seconds:4d} s: {len(places):6d} places, {inside.mean():.1%} within; "
            f"off by {np.median(off_m):.1f} m, 95 % {np.percentile(off_m, 95):.0f} m; radius {np.median(radius_m):.0f} m"
        )
    return {seconds: np.mean([inside for inside, _, _ in places]) for seconds, places in found.items()}


@pytest.mark.parametrize(("seconds", "least"), [(6, 0.95), (12, 0.95), (20, 0.91), (30, 0.87), (50, 0.82), (100, 0.75)])
def test_the_radius_alone_holds_real_streets_with_their_corners_and_stops(held, seconds, least):
    assert held[seconds] >= least
