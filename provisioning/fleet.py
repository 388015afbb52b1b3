"""A fleet's folder: its authority, its broker's files, its units. Everything in it is for its owner alone (0700 and 0600).

fleet.json       names, hosts, ports
ca.pem, ca.key   the authority
command.key/.pem what signs commands to units (Ed25519, as the contract has it)
broker/          all that mosquitto reads: configuration, access list, certificate, revocation list
backend/         the receiver's certificate
enrolment/       the certificate of `ronde provision serve`
units/           one file a unit
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from provisioning.authority import Authority, Use, make_authority, read_authority
from provisioning.broker_files import RECEIVER, BrokerHome, access_list, mosquitto_conf
from provisioning.certificate import CertificateRefused, certificate_pem, key_pem, make_key, public_pem
from provisioning.durable import sync_folder, write_durably
from provisioning.register import PRIVATE, Register, moment_of

SERVICE_DAYS: Final = 5 * 365
"""Certificates of the broker, the backend and the enrolment service: `ronde provision renew` makes new ones."""
SERVICES: Final = ("broker", "enrolment", "backend")
SERVICE_FILES: Final = {"broker": "server", "enrolment": "server", "backend": RECEIVER}


class FleetRefused(Exception):
    """A fleet cannot be made, or its folder is not usable: one sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a fleet is reached. The broker's `hosts` and the enrolment's; units use the first of each."""

    fleet: str
    hosts: tuple[str, ...]
    port: int
    enrolment_hosts: tuple[str, ...]
    enrolment_port: int
    made_at: str
    authority_key: str = "ca.key"

    @property
    def broker_url(self) -> str:
        """What units call."""
        return f"mqtts://{bracketed(self.hosts[0])}:{self.port}"

    @property
    def enrolment_url(self) -> str:
        """Where units apply for their certificate."""
        return f"https://{bracketed(self.enrolment_hosts[0])}:{self.enrolment_port}"


def bracketed(host: str) -> str:
    """A host as a URL takes it."""
    return f"[{host}]" if ":" in host else host


class Fleet:
    """An existing fleet's folder."""

    def __init__(self, folder: Path) -> None:
        """Raises `FleetRefused` where there is no fleet."""
        self.folder = folder
        try:
            self.plan = _plan((folder / "fleet.json").read_bytes())
        except FileNotFoundError:
            raise FleetRefused(f"{folder} holds no fleet; `ronde provision fleet NAME` makes one, --folder names it") from None
        except OSError as error:
            raise FleetRefused(f"{folder / 'fleet.json'} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise FleetRefused(f"{folder / 'fleet.json'} is damaged ({error})") from error
        self.register = Register(folder / "units")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time changes a fleet; others wait."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate."""
        return (self.folder / "ca.pem").read_bytes()

    @property
    def command_pem(self) -> bytes:
        """The public key of those who may command units."""
        return (self.folder / "command.pem").read_bytes()

    def authority(self, now: datetime) -> Authority:
        """What signs for this fleet.

        Raises:
            FleetRefused: its key cannot be read.
            CertificateRefused: it is not usable any more.
        """
        file = self.folder / self.plan.authority_key
        try:
            return read_authority(self.ca_pem, file.read_bytes(), now)
        except OSError as error:
            raise FleetRefused(f"the authority's key {file} cannot be read: {error.strerror}") from error

    def publish_revoked(self, now: datetime) -> bool:
        """Brings the broker's revocation list up to date with the register; whether it had to be. Call it locked."""
        file = self.folder / "broker" / "crl.pem"
        before = _list_in(file)
        wanted = {
            int(each.serial, 16): moment_of(each.revoked_at)
            for record in self.register.all()
            for each in record.issued
            if each.revoked_at is not None
        }
        if before is not None and {each.serial_number for each in before} == set(wanted):
            return False
        made = self.authority(now).list_of(sorted(wanted.items()), now, before)
        _put(file, made.public_bytes(serialization.Encoding.PEM))
        return True

    def renew_service(self, service: str, now: datetime) -> Path:
        """A new key and certificate for the broker, the enrolment service or the backend; returns the certificate's file."""
        with self.locked():
            _make_service(self.folder, self.plan, self.authority(now), service, now)
        return self.folder / service / f"{SERVICE_FILES[service]}.pem"


def make_fleet(folder: Path, plan: Plan, home: BrokerHome, now: datetime, existing: tuple[Path, Path] | None = None) -> Fleet:
    """Makes a fleet in `folder`, which is new. `existing`: certificate and key of an authority to use; the key stays where it is.

    All of it is made beside the folder and then renamed: whenever the power goes, there is a whole fleet or none.

    Raises:
        FleetRefused: the folder is there already, or cannot be made.
        CertificateRefused: the existing authority is not usable.
    """
    if folder.exists():
        raise FleetRefused(f"{folder} is there already, and nothing in it is overwritten; give another folder (--out)")
    if existing is not None:
        plan = replace(plan, authority_key=str(existing[1].absolute()))
    home = replace(home, folder=home.folder or folder.absolute() / "broker")
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(mode=0o700)
        authority = _authority(plan, now, existing)
        _fill(unfinished, plan, home, authority, now)
        unfinished.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise FleetRefused(f"{folder} cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Fleet(folder)


def _authority(plan: Plan, now: datetime, existing: tuple[Path, Path] | None) -> Authority:
    if existing is None:
        return make_authority(plan.fleet, (*plan.hosts, *plan.enrolment_hosts), now)
    certificate, key = existing
    try:
        return read_authority(certificate.read_bytes(), key.read_bytes(), now)
    except OSError as error:
        raise CertificateRefused(f"{error.filename} cannot be read: {error.strerror}") from error


def _fill(into: Path, plan: Plan, home: BrokerHome, authority: Authority, now: datetime) -> None:
    for each in (*SERVICES, "units"):
        (into / each).mkdir(mode=0o700)
    ca = certificate_pem(authority.certificate)
    _put(into / "ca.pem", ca)
    if not Path(plan.authority_key).is_absolute():
        _put(into / plan.authority_key, key_pem(authority.key))
    commands = ed25519.Ed25519PrivateKey.generate()
    _put(into / "command.key", key_pem(commands))
    _put(into / "command.pem", public_pem(commands.public_key()))
    for each in SERVICES:
        _put(into / each / "ca.pem", ca)
        _make_service(into, plan, authority, each, now)
    _put(into / "broker" / "crl.pem", authority.list_of((), now, None).public_bytes(serialization.Encoding.PEM))
    _put(into / "broker" / "access", access_list().encode())
    _put(into / "broker" / "mosquitto.conf", mosquitto_conf(plan.fleet, plan.hosts, plan.port, home).encode())
    _put(into / "fleet.json", json.dumps(asdict(plan), indent=1).encode() + b"\n")


def _make_service(folder: Path, plan: Plan, authority: Authority, service: str, now: datetime) -> None:
    subject, use, hosts = _service(plan, service)
    key = make_key()
    made = authority.issue(subject, key.public_key(), use, now, days=SERVICE_DAYS, hosts=hosts)
    _put(folder / service / f"{SERVICE_FILES[service]}.key", key_pem(key))
    _put(folder / service / f"{SERVICE_FILES[service]}.pem", certificate_pem(made))


def _service(plan: Plan, service: str) -> tuple[str, Use, Sequence[str]]:
    if service == "backend":
        return RECEIVER, "client", ()
    return service, "server", plan.hosts if service == "broker" else plan.enrolment_hosts


def _plan(content: bytes) -> Plan:
    document: dict[str, Any] = json.loads(content)
    for key in ("hosts", "enrolment_hosts"):
        document[key] = tuple(document[key])
    return Plan(**document)


def _list_in(file: Path) -> x509.CertificateRevocationList | None:
    try:
        return x509.load_pem_x509_crl(file.read_bytes())
    except (OSError, ValueError):
        return None


def _put(file: Path, content: bytes) -> None:
    write_durably(file, content, PRIVATE)
