"""A thing on the road while it is in view: what its sightings have in common, and which new one is another of it. Pure.

Its middle is followed by a filter of two axes (fused in information form); its size by weighted means. A box that the picture's
edge cuts tells where the sides are that it shows, so with the size known from before it still tells the middle. A thing that is
longer than the view (a long crack) grows with each frame that shows more of it.
"""

import math
from dataclasses import dataclass, replace

from inference.ellipse import Ellipse, circle
from inference.locate import Footprint
from inference.reckoning import Reckoned
from inference.sighting import Ground, shared

DRIFT = 0.015
"""What the reckoning is unsure of, per metre driven since the last sighting (on the simulated street it is off by 0.16 m over
20 m in the median)."""
DRIFT_FLOOR_M = 0.05

GATE = 13.8
"""Squared distance of the middle, two axes: 99.9 % of true pairs are nearer (chi-squared)."""
GATE_WITH_SIZE = 18.5
"""The same with both sides of its size."""
SIZE_SPREAD = 0.3
"""Of the logarithm of a side: how differently a detector draws one thing in two frames."""
SHORTEST_M = 0.1
"""A shorter side is compared as if it were so long."""
SLACK_M = 0.3
"""Rectangles are widened by so much before their overlap is judged, or what is small and near would never overlap."""
LEAST_OVERLAP, MOST_OVERLAP_COST = 0.3, 8.0
GROWS_M = 1.0
"""A far end that lies so much beyond the one known, and three times its own error more, makes a thing longer."""
UNKNOWN_M2 = 25.0
"""The variance of what a cut box does not tell."""


@dataclass(frozen=True, slots=True)
class Lying:
    """`east_m`, `north_m` of its middle and its errors `each` (filtered) and `common` (of the sharpest sighting, `sharpest_m2`).

    Width across and length along `heading_deg`, with the variances of both. `whole`: a sighting showed all of it. `grown`: it is
    longer than a view.
    """

    east_m: float
    north_m: float
    each: Ellipse
    common: Ellipse
    sharpest_m2: float
    heading_deg: float
    width_m: float
    length_m: float
    width_m2: float
    length_m2: float
    odometer_m: float
    whole: bool
    grown: bool = False

    @classmethod
    def first(cls, ground: Ground, at: Reckoned) -> "Lying":
        """From its first sighting."""
        footprint = ground.footprint
        each = ground.each
        if not footprint.whole:
            each = each.plus(
                Ellipse(
                    (footprint.right_m - footprint.left_m) ** 2 / 4.0, 0.0, (footprint.far_m - footprint.near_m) ** 2 / 4.0
                ).turned(at.heading_deg)
            )
        return cls(
            ground.east_m,
            ground.north_m,
            each,
            ground.common,
            each.xx + each.yy,
            at.heading_deg,
            footprint.right_m - footprint.left_m,
            footprint.far_m - footprint.near_m,
            *_side_variances(ground),
            at.odometer_m,
            footprint.whole,
            footprint.cut_far,
        )

    def cost(self, ground: Ground, at: Reckoned, *, stretches: bool) -> float | None:
        """How badly a sighting fits, less is better; None where it is of another thing."""
        each = self._now(at).plus(ground.each)
        spread = math.log(each.determinant)
        if self.whole and ground.footprint.whole and not self.grown:
            squared = each.squared(ground.east_m - self.east_m, ground.north_m - self.north_m)
            if squared <= GATE:
                squared += self._size_cost(ground)
                if squared <= GATE_WITH_SIZE:
                    return squared + spread
            if not stretches:
                return None
        overlap = self._overlap(ground.footprint, at)
        return None if overlap < LEAST_OVERLAP else MOST_OVERLAP_COST * (1.0 - overlap) + spread

    def taken(self, ground: Ground, at: Reckoned, *, stretches: bool) -> "Lying":
        """With one more sighting."""
        if stretches and self._longer(ground, at):
            return self._grow(ground, at)
        if self.grown:
            return replace(self, odometer_m=at.odometer_m)
        if ground.footprint.whole and not self.whole:
            return Lying.first(ground, at)
        if not ground.footprint.whole and not self.whole:
            larger = _area(ground.footprint) > self.width_m * self.length_m
            return Lying.first(ground, at) if larger else replace(self, odometer_m=at.odometer_m)
        east_m, north_m, each = self._measured(ground, at)
        before = self._now(at)
        told, known = each.inverse(), before.inverse()
        fused = known.plus(told).inverse()
        moved = fused.of(*told.of(east_m - self.east_m, north_m - self.north_m))
        sharper = each.xx + each.yy < self.sharpest_m2
        changed = replace(
            self,
            east_m=self.east_m + moved[0],
            north_m=self.north_m + moved[1],
            each=fused,
            common=ground.common if sharper else self.common,
            sharpest_m2=min(self.sharpest_m2, each.xx + each.yy),
            odometer_m=at.odometer_m,
        )
        return _sized(changed, ground, at) if ground.footprint.whole else changed

    def ahead_m(self, at: Reckoned) -> float:
        """How far ahead of the lens its far end is."""
        return at.car(self.east_m, self.north_m)[1] + self.length_m / 2.0

    def _now(self, at: Reckoned) -> Ellipse:
        """Its error, as the reckoning has drifted since it was seen last."""
        return self.each.plus(circle(DRIFT_FLOOR_M + DRIFT * abs(at.odometer_m - self.odometer_m)))

    def _size_cost(self, ground: Ground) -> float:
        cost = 0.0
        footprint = ground.footprint
        sides = (
            (self.width_m, self.width_m2, footprint.right_m - footprint.left_m, ground.width_sigma_m),
            (self.length_m, self.length_m2, footprint.far_m - footprint.near_m, ground.length_sigma_m),
        )
        for kept_m, known_m2, drawn_m, sigma_m in sides:
            known_m, seen_m = max(kept_m, SHORTEST_M), max(drawn_m, SHORTEST_M)
            variance = SIZE_SPREAD**2 + known_m2 / known_m**2 + (sigma_m / seen_m) ** 2
            cost += math.log(seen_m / known_m) ** 2 / variance
        return cost

    def _rectangle(self, at: Reckoned) -> tuple[float, float, float, float]:
        """Left, near, right and far in the car's axes, as if it lay along them."""
        right_m, ahead_m = at.car(self.east_m, self.north_m)
        return (
            right_m - self.width_m / 2.0,
            ahead_m - self.length_m / 2.0,
            right_m + self.width_m / 2.0,
            ahead_m + self.length_m / 2.0,
        )

    def _overlap(self, footprint: Footprint, at: Reckoned) -> float:
        """Intersection over union of the part of both that both can show."""
        left, near, right, far = self._rectangle(at)
        seen = [footprint.left_m, footprint.near_m, footprint.right_m, footprint.far_m]
        known = [left, near, right, far]
        open_sides = (footprint.cut_left, footprint.cut_near, footprint.cut_right, footprint.cut_far)
        for side, cut in enumerate(open_sides):
            if cut:
                known[side] = (max if side < 2 else min)(known[side], seen[side])
        if self.grown:  # what of it lies behind the car is not seen again
            known[1] = max(known[1], seen[1])
        if not self.whole or self.grown:  # what it reaches beyond is not known: the seen part is compared to where it may be
            seen[3] = min(seen[3], max(known[3], seen[1]))
        widened = ([each[0] - SLACK_M, each[1] - SLACK_M, each[2] + SLACK_M, each[3] + SLACK_M] for each in (seen, known))
        one, other = ((each[0], each[1], each[2], each[3]) for each in widened)
        return shared(one, other)

    def _longer(self, ground: Ground, at: Reckoned) -> bool:
        footprint = ground.footprint
        beyond_m = footprint.far_m - self._rectangle(at)[3]
        return (footprint.cut_near or self.grown) and beyond_m > GROWS_M + 3.0 * ground.length_sigma_m

    def _grow(self, ground: Ground, at: Reckoned) -> "Lying":
        """Its near end stays where it is, its far end is the one just seen."""
        turned = math.radians(self.heading_deg)
        near = self.east_m - math.sin(turned) * self.length_m / 2.0, self.north_m - math.cos(turned) * self.length_m / 2.0
        footprint = ground.footprint
        far = at.world((footprint.left_m + footprint.right_m) / 2.0, footprint.far_m)
        east_m, north_m = far[0] - near[0], far[1] - near[1]
        return replace(
            self,
            east_m=(near[0] + far[0]) / 2.0,
            north_m=(near[1] + far[1]) / 2.0,
            each=self.each.plus(ground.each).times(0.25).plus(circle(ground.length_sigma_m / 2.0)),
            heading_deg=math.degrees(math.atan2(east_m, north_m)) % 360.0,
            length_m=math.hypot(east_m, north_m),
            length_m2=self.length_m2 + ground.length_sigma_m**2,
            odometer_m=at.odometer_m,
            whole=True,
            grown=True,
        )

    def _measured(self, ground: Ground, at: Reckoned) -> tuple[float, float, Ellipse]:
        """The middle that a sighting tells; where it is cut, from the sides that it shows and the size that is known."""
        footprint = ground.footprint
        if footprint.whole:
            return ground.east_m, ground.north_m, ground.each
        right_m, width_m2 = _from_sides(
            footprint.left_m, footprint.right_m, footprint.cut_left, footprint.cut_right, self.width_m
        )
        ahead_m, length_m2 = _from_sides(footprint.near_m, footprint.far_m, footprint.cut_near, footprint.cut_far, self.length_m)
        more = Ellipse(
            width_m2 * max(self.width_m2, (SIZE_SPREAD * self.width_m) ** 2),
            0.0,
            length_m2 * max(self.length_m2, (SIZE_SPREAD * self.length_m) ** 2),
        )
        return *at.world(right_m, ahead_m), ground.each.plus(more.turned(at.heading_deg))


def _sized(lying: Lying, ground: Ground, at: Reckoned) -> Lying:
    """With the size that a whole sighting tells."""
    footprint = ground.footprint
    width_m2, length_m2 = _side_variances(ground)
    width_m, width_m2 = _mean(lying.width_m, lying.width_m2, footprint.right_m - footprint.left_m, width_m2)
    length_m, length_m2 = _mean(lying.length_m, lying.length_m2, footprint.far_m - footprint.near_m, length_m2)
    return replace(lying, width_m=width_m, width_m2=width_m2, length_m=length_m, length_m2=length_m2, heading_deg=at.heading_deg)


def _from_sides(low_m: float, high_m: float, cut_low: bool, cut_high: bool, size_m: float) -> tuple[float, float]:
    """The middle between two sides of which one may be cut, and the share of the size's variance that it takes over."""
    if cut_low and cut_high:
        return (low_m + high_m) / 2.0, UNKNOWN_M2
    if cut_low:
        return high_m - size_m / 2.0, 0.25
    if cut_high:
        return low_m + size_m / 2.0, 0.25
    return (low_m + high_m) / 2.0, 0.0


def _side_variances(ground: Ground) -> tuple[float, float]:
    footprint = ground.footprint
    drawn_m = SIZE_SPREAD / 2.0 * (footprint.right_m - footprint.left_m), SIZE_SPREAD / 2.0 * (footprint.far_m - footprint.near_m)
    return ground.width_sigma_m**2 + drawn_m[0] ** 2, ground.length_sigma_m**2 + drawn_m[1] ** 2


def _mean(one: float, one_m2: float, other: float, other_m2: float) -> tuple[float, float]:
    """The weighted mean of two numbers, and its variance."""
    share = one_m2 / max(one_m2 + other_m2, 1e-12)
    return one + share * (other - one), one_m2 * other_m2 / max(one_m2 + other_m2, 1e-12)


def _area(footprint: Footprint) -> float:
    return (footprint.right_m - footprint.left_m) * (footprint.far_m - footprint.near_m)
