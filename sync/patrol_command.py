"""`ronde patrol`: the log of a day as CSV or PDF, and whether one is what was written."""

import argparse
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Final

from inference.streets import StreetsRefused, read_streets
from provisioning.settings import DEFAULT_FILE, Settings, read_settings
from sync.exit import DONE, UNDONE
from sync.panel.words import LANGUAGES, all_words
from sync.patrol import Day
from sync.patrol_chain import ChainBroken, check_csv, csv_of
from sync.patrol_pdf import pdf_of
from sync.patrol_read import PatrolRefused, read_day

DOES: Final = (
    "The patrol log of a day: streets, times, distances, what was photographed, what was not and why, hazards, with a hash "
    "chain. Reads ronde.db and the town's streets ([grade] streets); writes --out, or prints. With --check, says whether a "
    "log is whole; 3 if not."
)
REFUSED: Final = (PatrolRefused, StreetsRefused)


def add_patrol_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="folder that holds ronde.db (default: the configuration's state)"
    )
    command.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="which day, by this machine's clock (default: today)")
    command.add_argument("--to", choices=["csv", "pdf"], default="csv", help="format (default: %(default)s)")
    command.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: print it); a PDF needs one")
    command.add_argument(
        "--language", choices=LANGUAGES, default=LANGUAGES[0], help="of the PDF; a CSV has one for all (default: %(default)s)"
    )
    command.add_argument(
        "--check", type=Path, metavar="FILE.csv", help="say whether this log is what was written, and nothing else"
    )
    command.add_argument("--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help="configuration (default: %(default)s)")


def run_patrol(args: argparse.Namespace) -> int:
    """Write the log, or check one.

    Raises:
        PatrolRefused, StreetsRefused, SettingsError: one sentence that says why.
    """
    if args.check is not None:
        return _check(args.check)
    settings = read_settings(args.config)
    state = args.folder or settings.unit.state
    day = day_log(settings, args.day or datetime.now().astimezone().date(), state)
    if args.to == "pdf":
        if args.out is None:
            raise PatrolRefused("--to pdf needs --out FILE")
        _write(args.out, pdf_of(day, all_words()[args.language]))
    elif args.out is not None:
        _write(args.out, csv_of(day).encode("utf-8-sig"))
    else:
        sys.stdout.write(csv_of(day))
    return DONE


def day_log(settings: Settings, day: date, state: Path | None = None) -> Day:
    """The log of a day of a unit, by the town's streets where there is a file of them.

    Raises:
        PatrolRefused: the database cannot be read.
        StreetsRefused: the file of streets cannot be used.
    """
    streets = read_streets(settings.grade.streets) if settings.grade.streets is not None else None
    return read_day((state or settings.unit.state) / "ronde.db", settings.unit, day, streets)


def _check(file: Path) -> int:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PatrolRefused(f"{file} cannot be read: {error}") from error
    try:
        print(check_csv(text).in_words())
    except ChainBroken as error:
        print(f"{file}: {error}")
        return UNDONE
    return DONE


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise PatrolRefused(f"{file} cannot be written: {error.strerror or error}") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: YYYY-MM-DD") from None
