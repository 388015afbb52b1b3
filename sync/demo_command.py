"""`ronde demo` on somebody's terminal: the map in the browser, the log in a file, the summary, and how it ends."""

import argparse
import json
import os
import select
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from provisioning.log import set_up
from sync.demo import run_demo
from sync.demo_screen import Progress
from sync.demo_words import in_words
from sync.exit import DONE, UNDONE

LOG: Final = "ronde.log"
IDLE_S: Final = 0.5
WITH_WINDOWS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


def run_demo_command(args: argparse.Namespace, until_told: Callable[[], threading.Event]) -> int:
    """Drive the demo and say what came of it; the exit code.

    Raises:
        DemoRefused, AlreadyRunning, ModelRefused: one sentence that says why.
    """
    stop = until_told()
    screen = _Shown(args, stop)
    try:
        result = run_demo(args.out, args.metres, stop, screen)
    finally:
        screen.close()
    if result is None:
        print(
            f"ronde: stopped before the end; what was driven is in {args.out}, and `ronde demo` drives it anew", file=sys.stderr
        )
        return UNDONE
    return DONE if result["done"] else UNDONE


class _Shown(Progress):
    """The demo on this terminal: its log goes to a file, the map to a browser, the summary to stdout."""

    def __init__(self, args: argparse.Namespace, stop: threading.Event) -> None:
        super().__init__(args.metres)
        self._args = args
        self._stop = stop
        self._log: TextIO | None = None

    def begin(self, folder: Path) -> None:
        """Where the log goes, so that it does not run through the panel."""
        if not self._args.verbose:
            self._log = (folder / LOG).open("w", encoding="utf-8")
            set_up(stream=self._log)

    def opened(self, address: str) -> None:
        """Show the map in a browser, where there are windows."""
        if not self._args.no_browser and not self._args.json and _has_windows():
            webbrowser.open(address)
        super().opened(address)

    def stay(self, result: Mapping[str, Any], address: str, idle: Callable[[], None]) -> None:
        """Print the result; on a terminal keep the map until Enter or ctrl-C."""
        super().close()
        print(json.dumps(result) if self._args.json else in_words(result))
        if self._args.no_wait or self._args.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return
        print(f"\nThe map stays at {address} until you press Enter.", file=sys.stderr)
        while not self._stop.is_set() and not select.select([sys.stdin], [], [], IDLE_S)[0]:
            idle()

    def close(self) -> None:
        """Take the panel away, and log to stderr again."""
        super().close()
        if self._log is not None:
            set_up()
            self._log.close()


def _has_windows() -> bool:
    """Whether a browser has somewhere to open: one for terminals would take this one's place."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in WITH_WINDOWS)
