"""`ronde calibrate` as a person calls it: what it takes, and what it does with it."""

import argparse
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from provisioning.settings import DEFAULT_FILE, Models, Settings, read_settings
from sync.calibrate import (
    LENGTH,
    MOST_UNSURE_DEG,
    Calibrated,
    CalibrationRefused,
    calibrate,
    geometry_of,
    hidden,
    length_of,
    shown_by_drive,
)
from sync.calibrate_live import SECONDS, shown_live
from sync.calibrate_picture import write_grid
from sync.calibrate_write import write_camera

DOES: Final = (
    "Find where the camera looks: pitch and yaw from a drive along straight streets, the height from a length on the road. "
    "Reads the recorded drive DRIVE, or with --live the unit's camera and gpsd; writes the picture of --out, and with --write "
    "the configuration."
)


def add_calibrate_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("drive", type=Path, nargs="?", metavar="DRIVE", help="folder of a recorded drive")
    command.add_argument("--live", action="store_true", help="use the unit's own camera and receiver, while somebody drives")
    command.add_argument(
        "--seconds", type=float, metavar="S", default=SECONDS, help="with --live: wait so long at most (default: %(default)g)"
    )
    command.add_argument(
        "--length", metavar=LENGTH, help="two pixels of the picture and the metres between them on the road: tells the height"
    )
    command.add_argument(
        "--out", type=Path, metavar="PICTURE", help="write a picture with a metre grid on the road (.jpg or .png)"
    )
    command.add_argument("--write", action="store_true", help="write pitch, yaw and height into the configuration")
    command.add_argument(
        "--config", type=Path, metavar="FILE", help=f"configuration (default with --live and --write: {DEFAULT_FILE})"
    )


def run_calibrate(args: argparse.Namespace, until_told: Callable[[], threading.Event]) -> Calibrated:
    """Calibrate, and write what is asked for.

    Raises:
        CalibrationRefused, DriveRefused, SettingsError, ModelRefused, AlreadyRunning: one sentence that says why.
    """
    if args.live == (args.drive is not None):
        raise CalibrationRefused("either a DRIVE is named, or --live: one of them")
    settings = _settings(args)
    length = length_of(args.length) if args.length else None
    if args.drive is not None:
        shown, geometry = shown_by_drive(args.drive, settings)
    else:
        assert settings is not None
        shown, geometry = shown_live(settings, args.seconds, until_told()), geometry_of(settings, None)
    result = calibrate(shown, geometry, length)
    if args.out is not None:
        frame = hidden(shown.pixels, settings.models if settings else Models())
        _write_picture(args.out, lambda: write_grid(args.out, frame, result.lens(frame.pixels.shape[1], frame.pixels.shape[0])))
    if args.write:
        assert settings is not None
        assert settings.source is not None
        if not result.sure:
            known = "not known at all" if result.unsure_deg is None else f"known to {max(result.unsure_deg):.1f} degrees"
            raise CalibrationRefused(
                f"nothing is written: the error of pitch and yaw is {known}; drive more straight streets until it is below "
                f"{MOST_UNSURE_DEG:g} degree"
            )
        write_camera(settings.source, **result.lines)
    return result


def _settings(args: argparse.Namespace) -> Settings | None:
    """The configuration, where one is named or needed."""
    file = args.config or (DEFAULT_FILE if args.live or args.write else None)
    return read_settings(file) if file else None


def _write_picture(file: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise CalibrationRefused(f"{file} cannot be written: {error.strerror or error}") from error
