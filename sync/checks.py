"""What `ronde doctor` finds out about the unit's own software, clock, disk and database. Each check reads, and writes nothing."""

import importlib.util
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlite_utils import Database

from device.fix import Fix
from device.gpio import GpioMissing, pin_factory
from device.sound import BUILT_AT
from inference.manifest import ModelRefused, Task, locate
from inference.model import ModelFailed
from inference.tflite import TfliteModel
from provisioning.settings import Panel
from sync.tables import MIGRATIONS

State = Literal["ok", "failed", "does not apply"]

PACKAGES = ("device", "inference", "provisioning", "sync")
RUNTIMES = ("ai-edge-litert", "tflite-runtime")
CLOCK_OFF_S = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found. `remedy` is what to do about it, empty where nothing is."""

    name: str
    state: State
    reason: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def in_words(self) -> str:
        """One line, and one more for what to do."""
        line = f"{self.state:<14}  {self.name}: {self.reason}"
        return f"{line}\n{'':14}  -> {self.remedy}" if self.remedy else line


def check_packages(owners: Mapping[str, Sequence[str]]) -> Check:
    """Whether ronde's package names are ronde's alone; `owners` are the distributions that own each top-level name."""
    name = "package names"
    for package in PACKAGES:
        foreign = sorted(set(owners.get(package, ())) - {"ronde"})
        if foreign:
            remedy = f"pip uninstall {' '.join(foreign)}, or give ronde a venv of its own"
            return Check(name, "failed", f"the package {package} also belongs to {' and '.join(foreign)}", remedy)
        if package not in owners:
            return Check(name, "failed", f"no installed distribution holds the package {package}", "pip install ronde")
    folders = {_folder_of(package) for package in PACKAGES}
    if len(folders) > 1:
        places = ", ".join(sorted(folders))
        return Check(
            name, "failed", f"they come from several places: {places}", "start ronde from another folder, or reinstall it"
        )
    return Check(name, "ok", f"{', '.join(PACKAGES)} belong to ronde alone")


def _folder_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else "nowhere"


def check_runtime() -> Check:
    """Python and the runtime of the models."""
    runtimes = {each: found for each in RUNTIMES if (found := _version(each)) is not None}
    python, numpy = platform.python_version(), np.__version__
    if not runtimes:
        return Check("runtime", "failed", f"neither {' nor '.join(RUNTIMES)} is installed", "pip install ai-edge-litert")
    words = ", ".join(f"{each} {found}" for each, found in runtimes.items())
    if "ai-edge-litert" not in runtimes and int(numpy.partition(".")[0]) >= 2:
        return Check("runtime", "failed", f"{words} does not work with numpy {numpy}", "pip install 'numpy<2'")
    return Check("runtime", "ok", f"Python {python}, {words}, numpy {numpy}, {platform.machine()}")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_model(task: Task, name: str) -> Check:
    """One model: there, the file of its manifest, and able to look at a grey picture."""
    check = f"{task} model"
    path = locate(name)
    try:
        model = TfliteModel(path)
        picture = model.manifest.input
        model.invoke(np.full((picture.height, picture.width, 3), 127, np.uint8))
    except (ModelRefused, ModelFailed) as error:
        lost = "nothing is photographed without it" if task == "privacy" else "photos are taken, nothing is found in them"
        return Check(check, "failed", f"{error}; {lost}", f"reinstall ronde, or correct [models] {task}")
    if model.manifest.task != task:
        return Check(check, "failed", f"{path} is a {model.manifest.task} model", f"correct [models] {task}")
    return Check(check, "ok", f"{model.manifest.name}, sha256 {model.manifest.sha256[:12]}, looked at a picture")


def check_pins(panel: Panel) -> Check:
    """Whether the lamp, the buzzer and the buttons that are configured can be used; no light is turned on."""
    if not panel.has_pins:
        return Check("lamp and buttons", "does not apply", "no pin is configured in [panel]: the page serves alone")
    try:
        pin_factory().close()
    except GpioMissing as error:
        remedy = "pip install 'ronde[pi]' and sudo apt-get install python3-lgpio, or take the pins out of [panel]"
        return Check("lamp and buttons", "failed", f"{error}; the page serves alone", remedy)
    return Check("lamp and buttons", "ok", "gpiozero finds the pins")


def check_clock(now: datetime, fix: Fix | None) -> Check:
    """Whether the clock can be true: with a wrong one no certificate is accepted."""
    remedy = "let chrony set it from the receiver or the network: chronyc tracking"
    if now < BUILT_AT:
        return Check("clock", "failed", f"it says {now:%Y-%m-%d %H:%M} UTC, before this software was made", remedy)
    if fix is None:
        return Check("clock", "ok", f"it says {now:%Y-%m-%d %H:%M} UTC; not compared, since there is no fix")
    off_s = (now - fix.taken_at).total_seconds()
    if abs(off_s) > CLOCK_OFF_S:
        return Check(
            "clock", "failed", f"it is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} the satellites", remedy
        )
    return Check("clock", "ok", f"within {CLOCK_OFF_S:g} s of the satellites")


def check_database(file: Path) -> Check:
    """Whether the database is whole and of this version."""
    if not file.exists():
        return Check("database", "does not apply", f"{file} is made at the first round")
    remedy = "start ronde sync: it sets the file aside, salvages what can be read, and makes a new one"
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            db = Database(connection, execute_plugins=False)
            applied = {each.name for each in MIGRATIONS.applied(db)}
            pending = {each.name for each in MIGRATIONS.pending(db)}
    except sqlite3.Error as error:
        return Check("database", "failed", f"{file}: {error}", remedy)
    if found != "ok":
        return Check("database", "failed", f"{file} is damaged: {found}", remedy)
    newer = applied - {each.name for each in MIGRATIONS.pending(Database(memory=True))}
    if newer or not applied:
        reason = f"was written by a newer ronde ({max(newer)})" if newer else "is no database of ronde"
        return Check("database", "failed", f"{file} {reason}", remedy)
    return Check("database", "ok", f"whole, {'to be brought up to this version' if pending else 'of this version'}")
