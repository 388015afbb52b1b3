"""`ronde audit` as a person calls it: what it takes, and what it does with it."""

import argparse
import json
import re
from pathlib import Path
from typing import Final

from provisioning.settings import DEFAULT_FILE, read_settings
from sync.audit import LOG, Head
from sync.audit_check import AuditRefused, Examined, examine
from sync.exit import DONE, UNDONE

DOES: Final = (
    "The unit's audit log: what was allowed, loaded, commanded, erased, paused and handed over. Reads the log of a state folder "
    "and checks that no line was changed, removed or moved; writes --out. 3 if one was."
)
HEAD: Final = re.compile(r"(\d{1,12}):([0-9a-f]{64})")


def add_audit_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="folder that holds the log (default: the configuration's state)"
    )
    command.add_argument("--check", action="store_true", help="print only whether it is what was written")
    command.add_argument(
        "--head", metavar="LINES:SHA256", help="what a backend was told of it in health: finds a log that was written anew"
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="write the log as it is, byte for byte, to be kept elsewhere")
    command.add_argument(
        "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"configuration (default: {DEFAULT_FILE})"
    )


def run_audit(args: argparse.Namespace) -> int:
    """Look at the log, and print it or what is wrong with it.

    Raises:
        AuditRefused, SettingsError: one sentence that says why.
    """
    state = args.folder or read_settings(args.config).unit.state
    examined = examine(state, _head(args.head))
    if args.out is not None:
        _write(state, args.out)
    if args.json:
        document = examined.as_json()
        if args.check:
            document.pop("entries")
        print(json.dumps(document))
    else:
        print(_shown(examined, check=args.check))
    return UNDONE if examined.wrong else DONE


def _shown(examined: Examined, *, check: bool) -> str:
    if check or not examined.entries:
        return examined.verdict()
    return f"{examined.in_words()}\n\n{examined.verdict()}"


def _head(text: str | None) -> Head | None:
    if text is None:
        return None
    found = HEAD.fullmatch(text)
    if found is None:
        raise AuditRefused(f"--head {text!r} is not LINES:SHA256, as health tells it and --check prints it")
    return Head(int(found[1]), found[2])


def _write(state: Path, out: Path) -> None:
    try:
        out.write_bytes((state / LOG).read_bytes())
    except OSError as error:
        raise AuditRefused(f"{out} cannot be written: {error.strerror}") from error
