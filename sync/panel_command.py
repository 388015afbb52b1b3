"""`ronde panel`: the driver's page, lamp, buzzer and buttons, until told to end."""

import argparse
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from provisioning.settings import DEFAULT_FILE, read_settings
from sync.exit import DONE
from sync.panel.refusal import PanelRefused

DOES: Final = (
    "Serve the driver's page, and turn lamp, buzzer and buttons. Reads ronde.db; writes what is pressed into its table request. "
    "Listens on this machine and at the address of the unit's own Wi-Fi ([panel]), and nowhere else. Ends at SIGTERM or ctrl-C."
)
REFUSED: Final = (PanelRefused,)


def add_panel_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help="configuration (default: %(default)s)")


def run_panel(args: argparse.Namespace, until_told: Callable[[], threading.Event]) -> int:
    """Serve until told to end.

    Raises:
        PanelRefused, SettingsError: one sentence that says why.
    """
    from sync.panel.server import serving_panel  # noqa: PLC0415 - nothing else on a unit serves pages: the others start sooner

    settings, stop = read_settings(args.config), until_told()
    with serving_panel(settings):
        stop.wait()
    return DONE
