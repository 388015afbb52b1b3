"""A calibration into the configuration: the three lines change, every other byte stays."""

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from provisioning.good import save
from provisioning.settings import read_settings, settings_of
from provisioning.table import SettingsError
from sync.calibrate import CalibrationRefused

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEADER = re.compile(r"^\s*\[")
CAMERA = re.compile(r"^\s*\[\s*camera\s*\]\s*(#.*)?$")


def write_camera(file: Path, height_m: float, pitch_deg: float, yaw_deg: float) -> None:
    """Set the mounting in `[camera]`; whenever the power goes, the file holds the old text or the new one.

    Raises:
        SettingsError: the configuration is not in order as it stands.
        CalibrationRefused: it says them in a way that cannot be changed line by line, or the disk did not take it.
    """
    before = read_settings(file)
    told = {"height_m": height_m, "pitch_deg": pitch_deg, "yaw_deg": yaw_deg}
    lines = "\n".join(f"{key} = {value:g}" for key, value in told.items())
    text = with_camera(file.read_text(encoding="utf-8"), told)
    by_hand = CalibrationRefused(f"{file} cannot be changed line by line; write into its [camera]:\n{lines}")
    try:
        after = settings_of(tomllib.loads(text), file)
    except (tomllib.TOMLDecodeError, SettingsError):
        raise by_hand from None
    camera = replace(before.camera, height_m=height_m, pitch_deg=pitch_deg, yaw_deg=yaw_deg)
    if before.fallback is not None or after != replace(before, camera=camera):
        raise by_hand
    try:
        save(file, text)
    except OSError as error:
        raise CalibrationRefused(f"{file} cannot be written: {error.strerror or error}") from error


def with_camera(text: str, told: Mapping[str, float]) -> str:
    """The text with these keys of its `[camera]`: changed where they stand, added below its head, or with a table at the end."""
    lines = text.splitlines()
    head = next((number for number, line in enumerate(lines) if CAMERA.match(line)), None)
    if head is None:
        lines += ["", "[camera]"]
        head = len(lines) - 1
    end = next((number for number in range(head + 1, len(lines)) if HEADER.match(lines[number])), len(lines))
    missing = []
    for key, value in told.items():
        set_here = re.compile(rf"^(\s*{key}\s*=\s*)[^#]*?(\s*#.*)?$")
        for number in range(head + 1, end):
            found = set_here.match(lines[number])
            if found is not None:
                lines[number] = f"{found[1]}{value:g}{found[2] or ''}"
                break
        else:
            missing.append(f"{key} = {value:g}")
    lines[head + 1 : head + 1] = missing
    return "\n".join(lines) + "\n"
