"""The command line of `ronde provision`: who may be in a fleet, and how a box becomes one of them."""

import argparse
from pathlib import Path
from typing import Any

from provisioning.desk import PATIENCE_S
from provisioning.enrolment import TOKEN_DAYS
from provisioning.fleet import SERVICES
from provisioning.settings import CAMERA_KINDS, DEFAULT_FILE
from sync.provision_authorise import DOES as AUTHORISE_DOES
from sync.provision_authorise import add_authorise_options
from sync.provision_command import DOES as COMMAND_DOES
from sync.provision_command import add_command_options

DOES = (
    "Make a fleet, its units and their cards; renew and revoke their certificates. Reads and writes the fleet's folder, which is "
    "for its owner alone; on the unit, the folder tls beside the configuration."
)


def add_subcommands(command: argparse.ArgumentParser, exit_codes: str) -> None:
    """Everything below `ronde provision`."""
    what = command.add_subparsers(title="what", dest="what", metavar="WHAT", required=True, help="ronde provision WHAT --help")
    adder = _Adder(what, exit_codes)
    _add_fleet(adder)
    _add_unit(adder)
    _add_card(adder)
    _add_serve(adder)
    _add_sign(adder)
    _add_enrol(adder)
    _add_renew(adder)
    _add_revoke(adder)
    _add_list(adder)
    _add_show(adder)
    command = adder.add("command", COMMAND_DOES)
    _add_unit_name(command)
    add_command_options(command)
    _add_folder(command)
    authorise = adder.add("authorise", AUTHORISE_DOES)
    add_authorise_options(authorise)
    _add_folder(authorise)


class _Adder:
    """Adds a command with what all of them have."""

    def __init__(self, what: Any, exit_codes: str) -> None:
        self._what = what
        self._exit_codes = exit_codes

    def add(self, name: str, does: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = self._what.add_parser(
            name, help=does.split(". ", maxsplit=1)[0], description=does, epilog=self._exit_codes
        )
        made.add_argument("--json", action="store_true", help="print the result as one JSON object and nothing else")
        return made


def _add_unit_name(command: argparse.ArgumentParser) -> None:
    command.add_argument("unit", metavar="FLEET/UNIT", help="the unit: cannes/car-07")


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--folder", type=Path, metavar="DIR", help="the fleet's folder (default: this one, or one here with the fleet's name)"
    )


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help="the unit's configuration; its identity is in tls beside it (default: %(default)s)",
    )


def _add_fleet(adder: _Adder) -> None:
    command = adder.add(
        "fleet",
        "Make a fleet. Writes a new folder: the authority, the key that signs commands, the broker's configuration with its "
        "access list and certificate, the backend's certificate. Overwrites nothing.",
    )
    command.add_argument("fleet", metavar="NAME", help="a-z, 0-9 and -; it goes into topics and certificates")
    command.add_argument(
        "--host",
        action="append",
        required=True,
        metavar="HOST",
        help="under which units reach the broker: a name or an address; several times for several, units use the first",
    )
    command.add_argument("--port", type=int, default=8883, help="of the broker (default: %(default)s)")
    command.add_argument(
        "--enrol-host", action="append", default=[], metavar="HOST", help="under which units enrol (default: as --host)"
    )
    command.add_argument("--enrol-port", type=int, default=8443, metavar="PORT", help="of enrolment (default: %(default)s)")
    command.add_argument("--out", type=Path, metavar="DIR", help="the new folder (default: NAME)")
    command.add_argument("--ca", type=Path, metavar="FILE", help="an authority that exists, instead of a new one (PEM)")
    command.add_argument("--key", type=Path, metavar="FILE", help="its key; it is read where it lies, not copied")
    command.add_argument(
        "--broker-folder", type=Path, metavar="DIR", help="where the broker will find its files (default: where they are made)"
    )
    command.add_argument("--broker-user", default="mosquitto", metavar="NAME", help="as whom it runs (default: %(default)s)")
    command.add_argument(
        "--broker-state",
        type=Path,
        default=Path("/var/lib/mosquitto"),
        metavar="DIR",
        help="where it keeps messages (default: %(default)s)",
    )


def _add_unit(adder: _Adder) -> None:
    command = adder.add(
        "unit",
        "Make a unit's one-time token and its configuration. Writes them below cards/UNIT in the fleet's folder, from where "
        "a card is made. Again: a new token, the one before is worth nothing; a configuration that is there stays.",
    )
    _add_unit_name(command)
    _add_folder(command)
    command.add_argument(
        "--days", type=float, default=TOKEN_DAYS, metavar="N", help="how long the token is good (default: %(default)g)"
    )
    command.add_argument("--camera", choices=CAMERA_KINDS, help="write the configuration anew, for this camera")


def _add_card(adder: _Adder) -> None:
    command = adder.add(
        "card",
        "Make a freshly flashed card a unit's. Reads what `unit` made; writes the card's boot partition, or a cloud-init seed, "
        "after it was asked. A card of no system that it knows is refused. 3 if the answer was no.",
    )
    command.add_argument("target", type=Path, metavar="TARGET", help="where the boot partition is mounted, or the card's device")
    _add_unit_name(command)
    _add_folder(command)
    command.add_argument("--wifi", metavar="NAME", help="the depot's Wi-Fi (default: none, a cable or nothing)")
    command.add_argument("--wifi-password-file", type=Path, metavar="FILE", help="its password (default: it is asked for)")
    command.add_argument("--country", default="FR", metavar="CC", help="whose rules the radio keeps (default: %(default)s)")
    command.add_argument(
        "--access-point",
        default="wlan0",
        metavar="RADIO",
        help="for the unit's own Wi-Fi: wlan0, up where the depot's is not (default); wlan1, a second radio; none",
    )
    command.add_argument("--hostname", metavar="NAME", help="(default: ronde-UNIT)")
    command.add_argument("--package", type=Path, metavar="FILE", help="ronde's package (default: it is in the image)")
    command.add_argument(
        "--ignition-gpio", type=int, metavar="N", help="the line that falls when the ignition goes off (default: none)"
    )
    command.add_argument("--ignition-rises", action="store_true", help="that line rises instead, as those of many a UPS HAT")
    command.add_argument("--seed", action="store_true", help="TARGET is an empty folder or stick, for an image with cloud-init")
    command.add_argument("--dry-run", action="store_true", help="show everything but the secrets, and write nothing")
    command.add_argument("--yes", action="store_true", help="do not ask")


def _add_serve(adder: _Adder) -> None:
    command = adder.add(
        "serve",
        "Give units their certificates, over HTTPS. Reads and writes the fleet's folder until SIGTERM or ctrl-C; keeps the "
        "broker's revocation list up to date.",
    )
    _add_folder(command)
    command.add_argument("--address", default="", help="where to listen (default: everywhere)")
    command.add_argument("--port", type=int, help="(default: the one that the fleet was made with)")


def _add_sign(adder: _Adder) -> None:
    command = adder.add(
        "sign",
        "Give a unit its certificate without a network. Reads the request that the unit left on its card, writes the answer "
        "beside it; put the card back into the unit.",
    )
    command.add_argument("request", type=Path, metavar="FILE", help="request.json on the card")
    _add_folder(command)
    command.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: answer.json beside the request)")


def _add_enrol(adder: _Adder) -> None:
    command = adder.add(
        "enrol",
        "On the unit, at its first boot: make its key and get its certificate. Reads the card; writes the unit's identity. "
        f"Without a network it leaves a request on the card, and ends with 3. It waits {PATIENCE_S:g} s for an answer.",
    )
    _add_config(command)
    command.add_argument("--card", type=Path, metavar="DIR", help="the card's folder (default: ronde on the boot partition)")
    way = command.add_mutually_exclusive_group()
    way.add_argument("--request", type=Path, metavar="FILE", help="only write the request, to be signed elsewhere")
    way.add_argument("--certificate", type=Path, metavar="FILE", help="only take the answer to such a request")


def _add_renew(adder: _Adder) -> None:
    command = adder.add(
        "renew",
        "On the unit: renew its certificate, if it is due. Reads and writes the unit's identity. In the fleet's folder, with the "
        "name of a service: make a new certificate for it.",
    )
    command.add_argument("service", nargs="?", choices=SERVICES, metavar="SERVICE", help=f"one of {', '.join(SERVICES)}")
    command.add_argument("--always", action="store_true", help="though it is not due")
    _add_config(command)
    _add_folder(command)


def _add_revoke(adder: _Adder) -> None:
    command = adder.add(
        "revoke",
        "Take back a unit's certificates and token. Writes the fleet's folder and the broker's revocation list, which the broker "
        "reads again at SIGHUP; what is connected then is connected still.",
    )
    _add_unit_name(command)
    _add_folder(command)
    command.add_argument("--reason", default="revoked", metavar="TEXT", help="for the fleet's own record")


def _add_list(adder: _Adder) -> None:
    command = adder.add(
        "list", "The units of a fleet and how they stand. Reads the fleet's folder. 3 if one has to be looked after."
    )
    _add_folder(command)


def _add_show(adder: _Adder) -> None:
    command = adder.add("show", "One unit: its token, its certificates, the password of its Wi-Fi. Reads the fleet's folder.")
    _add_unit_name(command)
    _add_folder(command)
