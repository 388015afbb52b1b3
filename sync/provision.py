"""`ronde provision`: what its commands do with the fleet's folder, and on the unit."""

import argparse
import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from provisioning.authorisation import AuthorisationRefused
from provisioning.backend import NAME
from provisioning.broker_files import BrokerHome
from provisioning.card import CardRefused
from provisioning.certificate import CertificateRefused
from provisioning.desk import DeskClosed, DeskRefused, apply_again
from provisioning.desk_service import DeskFailed, serve
from provisioning.durable import write_durably
from provisioning.enrolment import EnrolmentRefused, enrol, offer_token, revoke
from provisioning.first_boot import Outcome, card_here, enrol_here, write_request
from provisioning.fleet import Fleet, FleetRefused, Plan, make_fleet
from provisioning.identity import Identity, IdentityRefused, renew_identity
from provisioning.offer import Answer, Application, PaperRefused, read_paper, written
from provisioning.register import RegisterTorn, text_of
from provisioning.signed import KeyRefused
from provisioning.standing import TO_DO, standing_of
from provisioning.unit_files import ANSWER, HOST, UnitFiles, access_point_of, files_of, split, write_unit_files
from sync.exit import DONE, UNDONE
from sync.provision_authorise import authorise
from sync.provision_card import write_card
from sync.provision_command import OrderRefused, make_command

REFUSED: Final = (
    AuthorisationRefused,
    CardRefused,
    CertificateRefused,
    DeskFailed,
    DeskRefused,
    EnrolmentRefused,
    FleetRefused,
    IdentityRefused,
    KeyRefused,
    OrderRefused,
    PaperRefused,
    RegisterTorn,
)
"""What is wrong with what it was given: one sentence, exit code 2."""

RELOAD: Final = "tell the broker (systemctl reload mosquitto); what is connected now stays so until the broker is restarted"


def run_provision(args: argparse.Namespace, stop: Callable[[], threading.Event]) -> int:
    """Does one of the commands; its exit code. `stop` gives the event that SIGTERM and ctrl-C set.

    Raises:
        One of `REFUSED`, or `SettingsError`.
    """
    if args.what == "serve":
        return _serve(args, stop())
    return COMMANDS[args.what](args)


def _fleet(args: argparse.Namespace) -> int:
    if not NAME.fullmatch(args.fleet):
        raise FleetRefused(f"{args.fleet!r} names no fleet; it is a-z, 0-9 and -, at most 31 characters")
    if (args.ca is None) != (args.key is None):
        raise FleetRefused("--ca and --key go together: an authority's certificate and its key")
    for host in (*args.host, *args.enrol_host):
        _check_host(host)
    for port in (args.port, args.enrol_port):
        _check_port(port)
    plan = Plan(
        fleet=args.fleet,
        hosts=tuple(args.host),
        port=args.port,
        enrolment_hosts=tuple(args.enrol_host or args.host),
        enrolment_port=args.enrol_port,
        made_at=text_of(_now()),
    )
    home = BrokerHome(args.broker_folder, args.broker_user, args.broker_state)
    fleet = make_fleet(args.out or Path(args.fleet), plan, home, _now(), (args.ca, args.key) if args.ca else None)
    told = {"fleet": args.fleet, "folder": str(fleet.folder), "broker": plan.broker_url, "enrolment": plan.enrolment_url}
    _say(
        args,
        told,
        f"The fleet {args.fleet} is made in {fleet.folder}. Keep a copy of it in a safe: who has it can make units.\n"
        f"broker:    {plan.broker_url}, started with mosquitto -c {fleet.folder / 'broker' / 'mosquitto.conf'}\n"
        f"enrolment: {plan.enrolment_url}, by ronde provision serve --folder {fleet.folder}\n"
        f"next:      ronde provision unit {args.fleet}/car-01",
    )
    return DONE


def _check_host(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not HOST.fullmatch(host):
            raise FleetRefused(f"{host!r} is no host: a name (mqtt.example.org) or an address, without a port") from None


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise FleetRefused(f"{port} is no port; allowed: 1 to 65535")


def _unit(args: argparse.Namespace) -> int:
    fleet, name = _unit_of(args)
    if not 0 < args.days <= 365:
        raise FleetRefused(f"--days {args.days:g}: a token is good for more than 0 and at most 365 days")
    offer = offer_token(fleet, name, _now(), args.days)
    files = files_of(fleet, name)
    new = write_unit_files(files, offer, fleet.plan.broker_url, args.camera)
    told = {"unit": offer.unit, "folder": str(files.folder), "expires_at": offer.expires_at, "configuration_written": new}
    _say(
        args,
        told,
        f"{offer.unit} has a token that is good once, until {offer.expires_at[:10]}, in {files.offer_file}.\n"
        f"Its configuration {'is' if new else 'stays as it was'}: {files.configuration_file}",
    )
    return DONE


def _card(args: argparse.Namespace) -> int:
    fleet, name = _unit_of(args)
    return DONE if write_card(args, fleet, name) else UNDONE


def _serve(args: argparse.Namespace, stop: threading.Event) -> int:
    fleet = _fleet_of(args, None)
    port = fleet.plan.enrolment_port if args.port is None else args.port
    serve(fleet, (args.address, port), stop)
    return DONE


def _sign(args: argparse.Namespace) -> int:
    try:
        application = read_paper(Application, args.request.read_bytes(), str(args.request))
    except OSError as error:
        raise PaperRefused(f"{args.request} cannot be read: {error.strerror}") from error
    answer = enrol(_fleet_of(args, None), application, _now())
    out = args.out or args.request.with_name(ANSWER)
    try:
        write_durably(out, written(answer))
    except OSError as error:
        raise PaperRefused(f"{out} cannot be written: {error.strerror}; sign it again, the answer stays the same") from error
    _say(args, {"answer": str(out)}, f"The answer is {out}. Put the card back into the unit.")
    return DONE


def _enrol(args: argparse.Namespace) -> int:
    identity = Identity(args.config.parent / "tls")
    card = UnitFiles(args.card) if args.card else card_here()
    if args.request is not None:
        write_request(identity, card.offer(), args.request)
        _say(args, {"request": str(args.request)}, f"The request is {args.request}.")
        return DONE
    if args.certificate is not None:
        try:
            answer = read_paper(Answer, args.certificate.read_bytes(), str(args.certificate))
        except OSError as error:
            raise PaperRefused(f"{args.certificate} cannot be read: {error.strerror}") from error
        made = identity.take(answer, card.offer(), _now())
        _say(args, {"enrolled": True}, f"enrolled until {made.not_valid_after_utc:%Y-%m-%d}")
        return DONE
    outcome, words = enrol_here(identity, card, _now())
    _say(args, {"enrolled": outcome is not Outcome.WAITING, "reason": words}, words)
    return UNDONE if outcome is Outcome.WAITING else DONE


def _renew(args: argparse.Namespace) -> int:
    if args.service is not None:
        file = _fleet_of(args, None).renew_service(args.service, _now())
        _say(args, {"certificate": str(file)}, f"{file} and its key are new; restart what uses them.")
        return DONE
    identity = Identity(args.config.parent / "tls")
    apply = partial(_apply_again, identity)
    try:
        made = renew_identity(identity, apply, _now(), always=args.always)
    except DeskClosed as error:
        _say(args, {"renewed": False, "reason": str(error)}, f"not renewed: {error}")
        return UNDONE
    if made is None:
        _say(args, {"renewed": False, "reason": "not due"}, "the certificate is not due yet")
    else:
        until = f"{made.not_valid_after_utc:%Y-%m-%d}"
        _say(args, {"renewed": True, "until": until}, f"renewed until {until}")
    return DONE


def _apply_again(identity: Identity, application: Application) -> Answer:
    return apply_again(identity.kept_offer(), application, identity.certificate_file, identity.folder / "unit.key")


def _revoke(args: argparse.Namespace) -> int:
    fleet, name = _unit_of(args)
    good = revoke(fleet, name, _now(), args.reason)
    file = fleet.folder / "broker" / "crl.pem"
    _say(args, {"unit": args.unit, "revoked": good, "list": str(file)}, f"{args.unit}: {good} revoked, in {file}; {RELOAD}")
    return DONE


def _list(args: argparse.Namespace) -> int:
    fleet = _fleet_of(args, None)
    standings = [standing_of(record, _now()) for record in fleet.register.all()]
    lines = [f"{each.unit:<24} {each.state:<9} {each.words}" for each in standings]
    told = {"fleet": fleet.plan.fleet, "units": [each.as_json() for each in standings]}
    _say(args, told, "\n".join(lines) or f"the fleet {fleet.plan.fleet} has no unit yet")
    return UNDONE if any(each.state in TO_DO for each in standings) else DONE


def _show(args: argparse.Namespace) -> int:
    fleet, name = _unit_of(args)
    record = fleet.register.get(name)
    if record is None:
        raise EnrolmentRefused(f"the fleet {fleet.plan.fleet} has no unit {name}")
    standing = standing_of(record, _now())
    issued = [
        {key: getattr(each, key) for key in ("serial", "issued_at", "expires_at", "revoked_at", "reason")}
        for each in record.issued
    ]
    wifi = {"name": access_point_of(name), "password": record.access_point}
    lines = [f"{record.unit}: {standing.state}, {standing.words}", f"its Wi-Fi: {wifi['name']}, password {wifi['password']}"]
    for each in record.issued:
        end = f"revoked on {each.revoked_at[:10]}: {each.reason}" if each.revoked_at else f"good until {each.expires_at[:10]}"
        lines.append(f"certificate {each.serial}, of {each.issued_at[:10]}, {end}")
    _say(args, {**standing.as_json(), "made_at": record.made_at, "wifi": wifi, "certificates": issued}, "\n".join(lines))
    return DONE


def _command(args: argparse.Namespace) -> int:
    return make_command(args, *_unit_of(args))


def _authorise(args: argparse.Namespace) -> int:
    return authorise(args, _fleet_of(args, args.unit.partition("/")[0]))


def _unit_of(args: argparse.Namespace) -> tuple[Fleet, str]:
    fleet_name, name = split(args.unit)
    fleet = _fleet_of(args, fleet_name)
    if fleet.plan.fleet != fleet_name:
        raise FleetRefused(f"{fleet.folder} holds the fleet {fleet.plan.fleet}, not {fleet_name}")
    return fleet, name


def _fleet_of(args: argparse.Namespace, name: str | None) -> Fleet:
    """The fleet that `--folder` names; else that of this folder, or the one in it: called `name`, or the only one there is."""
    if args.folder is not None:
        return Fleet(args.folder)
    here = Path()
    if not (here / "fleet.json").exists():
        inside = [file.parent for file in here.glob("*/fleet.json")]
        if name is not None:
            return Fleet(here / name)
        if len(inside) == 1:
            return Fleet(inside[0])
    return Fleet(here)


def _say(args: argparse.Namespace, document: Mapping[str, Any], words: str) -> None:
    print(json.dumps(document) if args.json else words)


def _now() -> datetime:
    return datetime.now(timezone.utc)


COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "fleet": _fleet,
    "unit": _unit,
    "card": _card,
    "sign": _sign,
    "enrol": _enrol,
    "renew": _renew,
    "revoke": _revoke,
    "list": _list,
    "show": _show,
    "command": _command,
    "authorise": _authorise,
}
