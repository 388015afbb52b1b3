"""The scene: a town loop and every thing on it. It is the truth that frames are drawn from and findings are judged by.

Metres along are counted on the line that the car drives, the middle of its lane; metres right are right of it. East and north are
counted from `origin`. device/street/scene_file.py writes it as JSON and reads it again.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

from device.earth import offset
from device.street.path import Path, Piece
from device.street.seeds import Purpose

VERSION: Final = 1

Side = Literal["left", "right"]
Lens = Literal["clean", "dirty", "covered"]
Centre = Literal["none", "dashed", "solid"]
Way = Literal["none", "along", "against", "across", "leading"]

LYING: Final = (
    "crack_longitudinal",
    "crack_transverse",
    "crack_alligator",
    "pothole",
    "patch",
    "manhole",
    "manhole_open",
    "drain",
)
"""Labels of what lies on the road."""
SIGNS: Final = ("sign_danger", "sign_prohibition", "sign_mandatory", "sign_yield", "sign_stop")
STANDING: Final = (*SIGNS, "traffic_light", "vehicle", "person", "house", "tree")
Kind = Literal[
    "crack_longitudinal",
    "crack_transverse",
    "crack_alligator",
    "pothole",
    "patch",
    "manhole",
    "manhole_open",
    "drain",
    "sign_danger",
    "sign_prohibition",
    "sign_mandatory",
    "sign_yield",
    "sign_stop",
    "traffic_light",
    "vehicle",
    "person",
    "house",
    "tree",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
UNLABELLED: Final = ("house", "tree")
SIDES: Final[tuple[Side, ...]] = get_args(Side)
LIGHT_STATES = Literal["red", "green", "amber"]
AMBER_S = 3.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where east and north begin."""

    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """The road's cross-section between two places: kerbs left and right of the line, pavement, the road's centre.

    `parking_left_m` and `parking_right_m` are the widths of lanes with parked cars, inside the kerbs, or 0. `age` is
    the asphalt's: 1 new to 5 worn.
    """

    from_m: float
    to_m: float
    left_m: float
    right_m: float
    pavement_m: float
    centre_m: float
    centre: Centre
    parking_left_m: float
    parking_right_m: float
    age: int


@dataclass(frozen=True, slots=True)
class SideRoad:
    """A road that meets the line `at_m`, with its own straight line, half its width between the kerbs, and how far it is seen."""

    at_m: float
    heading_deg: float
    half_m: float
    length_m: float
    pavement_m: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """A zebra crossing; `stop_m` is how far before it a stop line lies, 0 where there is none."""

    at_m: float
    width_m: float
    stop_m: float


@dataclass(frozen=True, slots=True)
class Light:
    """A red light: where the car stops, and its phases: red for `red_s` in each `period_s`, from `offset_s` on."""

    id: str
    at_m: float
    period_s: float
    red_s: float
    offset_s: float

    def state(self, at_s: float) -> LIGHT_STATES:
        """What it shows."""
        into_s = (at_s - self.offset_s) % self.period_s
        if into_s < self.red_s:
            return "red"
        return "amber" if into_s > self.period_s - AMBER_S else "green"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """No sky between these places."""

    from_m: float
    to_m: float


@dataclass(frozen=True, slots=True)
class Weather:
    """Light and weather between two places: hour of the day, rain from 0 to 1, wetness of the road from 0 to 1, the lens."""

    from_m: float
    to_m: float
    hour: float
    rain: float
    wet: float
    lens: Lens
    exposure_ms: float


@dataclass(frozen=True, slots=True)
class Motion:
    """How a thing moves: along or against the line, across it, or leading the car; at `speed_mps`, within `span_m`."""

    way: Way = "none"
    speed_mps: float = 0.0
    span_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Thing:
    """One real thing. Its middle lies `along_m` and `right_m`, which is `east_m` and `north_m`; a standing thing's foot does.

    `heading_deg` is where a vehicle or person faces, a sign or house looks, a lying thing has its far end. `width_m` is across,
    `length_m` along its heading, `height_m` upwards (0 where it lies). `variant` is a word for how it is drawn, `severity` 1 to 3
    of damage, `rounds` those in which it exists, `seed` that of its picture.
    """

    id: str
    kind: Kind
    along_m: float
    right_m: float
    east_m: float
    north_m: float
    heading_deg: float
    width_m: float
    length_m: float
    height_m: float
    severity: int | None
    rounds: tuple[int, ...]
    seed: int
    variant: str = ""
    motion: Motion = Motion()
    light: str = ""

    @property
    def label(self) -> str | None:
        """What ronde calls it; None of what it has no word for."""
        return None if self.kind in UNLABELLED else self.kind

    @property
    def lies(self) -> bool:
        """Whether it lies on the road."""
        return self.kind in LYING


@dataclass(frozen=True)
class Scene:
    """A whole town loop."""

    purpose: Purpose
    seed: int
    origin: Origin
    line: tuple[Piece, ...]
    stretches: tuple[Stretch, ...]
    side_roads: tuple[SideRoad, ...]
    crossings: tuple[Crossing, ...]
    lights: tuple[Light, ...]
    tunnels: tuple[Tunnel, ...]
    weather: tuple[Weather, ...]
    things: tuple[Thing, ...]
    version: int = VERSION

    @cached_property
    def path(self) -> Path:
        """The line that the car drives."""
        return Path(self.line)

    @cached_property
    def lights_by_id(self) -> dict[str, Light]:
        """The lights by the name that things give."""
        return {light.id: light for light in self.lights}

    def place_deg(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude."""
        return offset(self.origin.latitude_deg, self.origin.longitude_deg, east_m, north_m)

    def stretch_at(self, along_m: float) -> Stretch:
        """The cross-section there."""
        return next(each for each in self.stretches if each.from_m <= along_m % self.path.length_m <= each.to_m)

    def weather_at(self, along_m: float) -> Weather:
        """The weather there."""
        return next(each for each in self.weather if each.from_m <= along_m % self.path.length_m <= each.to_m)

    def in_tunnel(self, along_m: float) -> bool:
        """Whether there is no sky."""
        return any(each.from_m <= along_m % self.path.length_m <= each.to_m for each in self.tunnels)

    def in_round(self, number: int) -> tuple[Thing, ...]:
        """What exists in a round."""
        return tuple(thing for thing in self.things if number in thing.rounds)
