"""The unit's configuration: `ronde.toml`, read once into frozen dataclasses.

Everything but `[unit] fleet` and `name` has a default. An unknown key, a wrong type and a value out of range are refused with
their place. The contract is docs/configuration.md.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from provisioning.backend import CONFIRMS, DEFAULT_STREAMS, NAME, STREAMS, Backend, Confirm, Stream, backends_of, check_broker_url
from provisioning.budget import Budget, budget_of
from provisioning.good import is_beginning, read_good
from provisioning.grading import Grading, grading_of
from provisioning.panel import Panel, panel_of
from provisioning.table import SettingsError, SettingsTorn, Table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "CAMERA_KINDS",
    "CONFIRMS",
    "DEFAULT_FILE",
    "DEFAULT_STREAMS",
    "STATE",
    "STREAMS",
    "Backend",
    "Budget",
    "Camera",
    "CameraKind",
    "Confirm",
    "Gps",
    "Grading",
    "Keeping",
    "Models",
    "Panel",
    "Settings",
    "Stream",
    "Trigger",
    "Unit",
    "camera_of_table",
    "check_broker_url",
    "read_settings",
    "settings_of",
]

DEFAULT_FILE = Path("/etc/ronde/ronde.toml")
STATE = Path("/var/lib/ronde")

CameraKind = Literal["picamera2", "v4l2", "argus", "recorded", "simulated"]

CAMERA_KINDS: tuple[CameraKind, ...] = get_args(CameraKind)

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Unit:
    """Who this car is. `state` is the folder that holds all that the unit writes."""

    fleet: str
    name: str
    state: Path = STATE


@dataclass(frozen=True, slots=True)
class Gps:
    """Where gpsd listens."""

    host: str = "127.0.0.1"
    port: int = 2947


@dataclass(frozen=True, slots=True)
class Camera:
    """The camera and where it looks from: `height_m` above the road, `pitch_deg` down, `yaw_deg` right, `hfov_deg` across.

    `k1` is the lens' radial distortion: a ray at r focal lengths from the axis falls at r (1 + k1 r^2).
    `device` is read by v4l2, `drive` (the folder of a recorded drive) by recorded.
    """

    kind: CameraKind = "picamera2"
    width: int = 1456
    height: int = 1088
    fps: int = 30
    height_m: float = 1.35
    pitch_deg: float = 6.0
    yaw_deg: float = 0.0
    hfov_deg: float = 63.0
    k1: float = 0.0
    device: str = "/dev/video0"
    drive: Path | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """How often along the road a photo is wanted."""

    spacing_m: float = 4.0


@dataclass(frozen=True, slots=True)
class Models:
    """File names in the installed inference/models, or paths. `safety` is loaded only while a signed permission allows it."""

    roads: str = "roads-1.tflite"
    privacy: str = "privacy-1.tflite"
    safety: str | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much of the disk stays free, and how long photos stay. `reserve_mb` is used instead of the share where it is set."""

    reserve_percent: int = 10
    reserve_mb: int | None = None
    photo_days: int = 30
    confirmed_hours: int = 48

    def reserve_bytes(self, disk_bytes: int) -> int:
        """What is to stay free of a disk of this size."""
        return self.reserve_mb * MB if self.reserve_mb is not None else disk_bytes * self.reserve_percent // 100


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `ronde.toml`. `source` is the file it was read from, None where there was none.

    `fallback` says why its last good copy was read instead, None where it was in order.
    """

    unit: Unit
    gps: Gps = field(default_factory=Gps)
    camera: Camera = field(default_factory=Camera)
    trigger: Trigger = field(default_factory=Trigger)
    models: Models = field(default_factory=Models)
    keeping: Keeping = field(default_factory=Keeping)
    grade: Grading = field(default_factory=Grading)
    panel: Panel = field(default_factory=Panel)
    backends: tuple[Backend, ...] = ()
    budget: Budget = field(default_factory=Budget)
    source: Path | None = None
    fallback: str | None = None


def read_settings(file: Path) -> Settings:
    """The settings of `file`; where it is empty or torn, those of its last good copy, and `fallback` says why.

    Raises:
        SettingsError: it cannot be read, is no TOML, or says something that is not allowed; one sentence with the place.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from error
    good = read_good(file)
    try:
        settings = settings_of(_document(content, file), file)
    except SettingsError as error:
        torn = isinstance(error, SettingsTorn)
        if good is None or not (torn or is_beginning(content, good)):
            raise
        return replace(settings_of(_document(good, file), file), fallback=str(error))
    if good is not None and is_beginning(content, good) and not content.endswith(b"\n"):
        return replace(settings_of(_document(good, file), file), fallback=f"{file}: ends in the middle of a line")
    return settings


def _document(content: bytes, file: Path) -> dict[str, Any]:
    try:
        text = content.decode("utf-8")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsTorn(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsTorn(f"{file}: is no TOML: {error}") from error
    if not text.strip():
        raise SettingsTorn(f"{file}: the file is empty")
    return document


def settings_of(document: Mapping[str, Any], file: Path) -> Settings:
    """The settings that a parsed TOML `document` holds; `file` is named in errors."""
    whole = Table(file, "", document)
    settings = Settings(
        unit=_unit(whole.table("unit")),
        gps=_gps(whole.table("gps")),
        camera=camera_of_table(whole.table("camera")),
        trigger=_trigger(whole.table("trigger")),
        models=_models(whole.table("models")),
        keeping=_keeping(whole.table("storage")),
        grade=grading_of(whole.table("grade")),
        panel=panel_of(whole.table("panel")),
        backends=backends_of(whole),
        budget=budget_of(whole.table("budget")),
        source=file,
    )
    whole.done()
    return settings


def _unit(table: Table) -> Unit:
    fleet = table.text("fleet", matches=NAME)
    name = table.text("name", matches=NAME)
    unit = Unit(fleet, name, table.path("state", STATE))
    table.done()
    return unit


def _gps(table: Table) -> Gps:
    default = Gps()
    gps = Gps(table.text("host", default.host), table.whole("port", default.port, 1, 65535))
    table.done()
    return gps


def camera_of_table(table: Table) -> Camera:
    """The `[camera]` table of a configuration or of a recorded drive."""
    default = Camera()
    kind = table.choice("kind", CAMERA_KINDS, default.kind)
    camera = Camera(
        kind=kind,
        width=table.whole("width", default.width, 160, 8192),
        height=table.whole("height", default.height, 120, 8192),
        fps=table.whole("fps", default.fps, 1, 120),
        height_m=table.number("height_m", default.height_m, 0.3, 5.0),
        pitch_deg=table.number("pitch_deg", default.pitch_deg, -30.0, 60.0),
        yaw_deg=table.number("yaw_deg", default.yaw_deg, -90.0, 90.0),
        hfov_deg=table.number("hfov_deg", default.hfov_deg, 20.0, 150.0),
        k1=table.number("k1", default.k1, -0.5, 0.5),
        device=table.text("device", default.device),
        drive=table.path("drive", None),
    )
    if 1.0 + 3.0 * camera.k1 * math.tan(math.radians(camera.hfov_deg) / 2.0) ** 2 <= 0.0:
        raise table.refused("k1", f"is {camera.k1:g}; with hfov_deg = {camera.hfov_deg:g} the picture would fold over itself")
    if kind == "recorded" and camera.drive is None:
        raise table.refused("drive", 'is missing: the folder of a recorded drive, wanted by kind = "recorded"')
    table.done()
    return camera


def _trigger(table: Table) -> Trigger:
    trigger = Trigger(table.number("spacing_m", Trigger().spacing_m, 2.0, 20.0))
    table.done()
    return trigger


def _models(table: Table) -> Models:
    default = Models()
    safety = table.text("safety") if table.has("safety") else None
    models = Models(table.text("roads", default.roads), table.text("privacy", default.privacy), safety)
    table.done()
    return models


def _keeping(table: Table) -> Keeping:
    default = Keeping()
    keeping = Keeping(
        reserve_percent=table.whole("reserve_percent", default.reserve_percent, 10, 90),
        reserve_mb=table.whole_or_none("reserve_mb", 1, 1_000_000),
        photo_days=table.whole("photo_days", default.photo_days, 1, 30),
        confirmed_hours=table.whole("confirmed_hours", default.confirmed_hours, 0, 720),
    )
    table.done()
    return keeping
