"""`ronde provision command`: a signed command for a unit, printed, or sent through the fleet's broker."""

import argparse
import json
import secrets
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from provisioning.authorisation import text_of
from provisioning.durable import write_durably
from provisioning.fleet import Fleet, FleetRefused
from provisioning.register import PRIVATE
from provisioning.settings import Unit, check_broker_url
from provisioning.signed import private_key
from sync.broker import NO_SUBSCRIBERS, SUCCESS, Broker, Lost, Message, Puback, Session, address
from sync.commands import DOES as DO
from sync.commands import LONGEST, Command, write_command
from sync.event import topic
from sync.exit import DONE, UNDONE
from sync.mqtt import PahoBroker
from sync.refusal import BrokerRefused

DOES: Final = (
    "Sign a command for a unit. Reads and writes the fleet's folder, which counts them; prints the message, or sends it with "
    "--broker. The unit answers in health. 3 if the broker does not take it, or has nobody to give it to."
)
HOURS: Final = 24.0
ANSWER_S: Final = 10.0
COUNTS: Final = "commands.json"


class OrderRefused(Exception):
    """No command is made: one sentence."""


def add_command_options(command: argparse.ArgumentParser) -> None:
    """The options of the command, behind the unit's name."""
    command.add_argument("do", choices=DO, metavar="DO", help=f"one of {', '.join(DO)}")
    command.add_argument("--finding", metavar="ID", help="with send_evidence: of which finding")
    command.add_argument(
        "--expires", type=float, default=HOURS, metavar="HOURS", help="how long it is good (default: %(default)g)"
    )
    command.add_argument("--sequence", type=int, metavar="N", help="its number (default: one more than the last of this unit)")
    command.add_argument(
        "--broker",
        nargs="?",
        const="",
        metavar="URL",
        help="send it with the backend's certificate: mqtts://HOST:PORT, or mqtt:// on loopback (without URL: the fleet's own)",
    )


def make_command(args: argparse.Namespace, fleet: Fleet, name: str) -> int:
    """Make it, and send it where that is wanted.

    Raises:
        OrderRefused, KeyRefused, FleetRefused: one sentence.
    """
    if not 0 < args.expires <= LONGEST.total_seconds() / 3600:
        raise OrderRefused(f"--expires {args.expires:g}: a command is good for more than 0 and at most {LONGEST.days * 24} hours")
    if (args.do == "send_evidence") != (args.finding is not None):
        raise OrderRefused("--finding ID goes with send_evidence, and with nothing else")
    expires_at = datetime.now(timezone.utc) + timedelta(hours=args.expires)
    unit = f"{fleet.plan.fleet}/{name}"
    key = private_key(fleet.folder / "command.key")
    try:
        with fleet.locked():
            sequence = args.sequence if args.sequence is not None else _last(fleet, name) + 1
            given = {} if args.finding is None else {"finding_id": args.finding}
            document = write_command(Command(unit, sequence, expires_at, args.do, given), key)
            _count(fleet, name, sequence)
    except ValueError as error:
        raise OrderRefused(str(error)) from error
    except OSError as error:
        raise FleetRefused(f"{error.filename or fleet.folder} cannot be written: {error.strerror}") from error
    if args.broker is None:
        print(json.dumps(document, ensure_ascii=False))
        return DONE
    return _send(args, fleet, Unit(fleet.plan.fleet, name), document)


def _send(args: argparse.Namespace, fleet: Fleet, unit: Unit, document: dict[str, Any]) -> int:
    told = {"sequence": document["sequence"], "do": document["do"], "expires_at": document["expires_at"]}
    trouble = _trouble(args.broker or fleet.plan.broker_url, fleet, Message(topic(unit, "command"), _compact(document)))
    if args.json:
        print(json.dumps(told | {"sent": trouble is None, "reason": trouble}))
    elif trouble is None:
        until = text_of(datetime.fromisoformat(str(document["expires_at"]).replace("Z", "+00:00")))
        print(f"Command {document['sequence']} ({document['do']}) is with the broker, good until {until}.")
        print("The unit answers in health.")
    else:
        print(f"Command {document['sequence']} ({document['do']}) was not sent: {trouble}")
    return DONE if trouble is None else UNDONE


def _trouble(url: str, fleet: Fleet, message: Message) -> str | None:
    """Why the broker does not have it; None where it has."""
    folder = fleet.folder / "backend"
    papers: tuple[Path | None, ...] = (folder / "ca.pem", folder / "receiver.pem", folder / "receiver.key")
    check_broker_url(url, lambda sentence: OrderRefused(f"--broker {sentence}"))
    if url.startswith("mqtt://"):
        papers = (None, None, None)
    session = Session(f"ronde-command-{secrets.token_hex(4)}", (), 0)
    try:
        broker = PahoBroker(address(url, *papers), session)
    except BrokerRefused as error:
        return str(error)
    try:
        return _published(broker, message)
    finally:
        broker.close()


def _published(broker: Broker, message: Message) -> str | None:
    mid = broker.publish(message)
    deadline_s = time.monotonic() + ANSWER_S
    while mid is not None and (left_s := deadline_s - time.monotonic()) > 0:
        for outcome in broker.take(left_s):
            match outcome:
                case Lost():
                    return outcome.reason
                case Puback(code=code) if outcome.mid == mid and code == SUCCESS:
                    return None
                case Puback(code=code) if outcome.mid == mid and code == NO_SUBSCRIBERS:
                    return "the broker does not know this unit: it has not connected within a day"
                case Puback() if outcome.mid == mid:
                    return f"the broker does not take it: {outcome.text}"
    return f"the broker has not answered within {ANSWER_S:g} s"


def _compact(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _counts(fleet: Fleet) -> dict[str, int]:
    file = fleet.folder / COUNTS
    try:
        document = json.loads(file.read_bytes())
        return {str(name): int(number) for name, number in document.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise OrderRefused(
            f"{file} is damaged; health tells the number of the last command: give one more with --sequence"
        ) from error


def _last(fleet: Fleet, name: str) -> int:
    return _counts(fleet).get(name, 0)


def _count(fleet: Fleet, name: str, sequence: int) -> None:
    counts = _counts(fleet)
    counts[name] = max(sequence, counts.get(name, 0))
    write_durably(fleet.folder / COUNTS, json.dumps(counts, indent=1).encode() + b"\n", PRIVATE)
