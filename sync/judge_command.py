"""`ronde judge`: a person's word on a thing, without the map."""

import argparse
import getpass
import json
from contextlib import closing
from typing import Final

from sync.exit import DONE
from sync.receiver.judging import LONGEST_NAME, LONGEST_NOTE, NoSuchThing, open_judge
from sync.receiver.kinds import is_printed
from sync.receiver.seen import JUDGEMENTS

DOES: Final = (
    "Say that a thing is really there, or that it is none. Writes the word, who said it and when into a receiver's database; "
    "later rounds change nothing of it."
)
WORDS: Final = (*JUDGEMENTS, "none")


class JudgeRefused(Exception):
    """What is said cannot be kept: one sentence."""


def add_judge_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("thing", metavar="ID", help="the thing's id, as the map and exports have it")
    command.add_argument("judgement", choices=WORDS, help="none takes back what was said before")
    command.add_argument("--db", required=True, metavar="URL", help="sqlite:///FILE, or postgresql://USER@HOST/DATABASE")
    command.add_argument("--by", metavar="NAME", help="who says it (default: this machine's user)")
    command.add_argument("--note", metavar="TEXT", help=f"why, at most {LONGEST_NOTE} characters")


def run_judge(args: argparse.Namespace) -> int:
    """Keeps it, for the command line.

    Raises:
        JudgeRefused: there is no such thing, or a text is none.
        DatabaseRefused, DatabaseFailed: the database cannot be written.
    """
    by = getpass.getuser() if args.by is None else args.by
    for name, text, longest in (("--by", by, LONGEST_NAME), ("--note", args.note, LONGEST_NOTE)):
        if text is not None and not is_printed(text, longest):
            raise JudgeRefused(f"{name} is a text of 1 to {longest} characters that can be printed")
    with closing(open_judge(args.db)) as judge:
        try:
            judged = judge.say(args.thing, None if args.judgement == "none" else args.judgement, by=by, note=args.note)
        except NoSuchThing as error:
            raise JudgeRefused(str(error)) from error
    if args.json:
        print(json.dumps({"thing": args.thing, "judgement": judged.judgement, "by": by, "note": judged.note, "at": judged.at}))
    else:
        print(f"{args.thing}: {judged.judgement or 'nothing is said of it any more'}")
    return DONE
