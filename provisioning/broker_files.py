"""What a mosquitto needs to serve a fleet: its configuration and its access list, as docs/backend.md says who may do what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.backend import LOOPBACK

UNIT_WRITES: Final = ("state", "birth", "finding", "grade", "track", "evidence", "alert", "health", "batch")
UNIT_READS: Final = ("ack", "command")
RECEIVER: Final = "receiver"
"""The common name of the backend's certificate. No unit has it: theirs have a slash."""

LARGEST_PACKET: Final = 2 * 1024 * 1024
"""Bytes: well above the largest event."""

CONFIGURATION: Final = """\
# mosquitto for the fleet {fleet}, made by `ronde provision fleet`. It is whole: mosquitto -c THIS FILE.
# Started as root, mosquitto becomes this user; the files below {folder} have to be its own.
user {user}

listener {port}{address}
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
# Read again at SIGHUP (systemctl reload mosquitto), as are the certificates.
crlfile {folder}/crl.pem
tls_version tlsv1.2

# A client is who its certificate says.
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/access

# With its stock settings a mosquitto that is killed forgets what it has acknowledged.
persistence true
persistence_location {persistence}/
autosave_on_changes true
autosave_interval 1
max_packet_size {largest}
# What waits for a backend that is away. Whatever is beyond it is sent again by the units.
max_queued_messages 100000
log_type error
log_type warning
log_type notice
"""


@dataclass(frozen=True, slots=True)
class BrokerHome:
    """Where the broker's files will lie (None: where they are made), as whom it runs, and where it keeps messages."""

    folder: Path | None = None
    user: str = "mosquitto"
    persistence: Path = Path("/var/lib/mosquitto")


def mosquitto_conf(fleet: str, hosts: Sequence[str], port: int, home: BrokerHome) -> str:
    """The configuration of a fleet's broker; where all its `hosts` are loopback it listens there alone."""
    address = " 127.0.0.1" if set(hosts) <= LOOPBACK else ""
    return CONFIGURATION.format(
        fleet=fleet,
        user=home.user,
        port=port,
        address=address,
        folder=home.folder,
        persistence=home.persistence,
        largest=LARGEST_PACKET,
    )


def access_list() -> str:
    """Who may write and read what: a unit its own topics, the backend what units write, its acknowledgements and commands."""
    lines = [
        "# A unit: %u is its name, <fleet>/<unit>, as its certificate says.",
        *(f"pattern write ronde/v1/%u/{stream}" for stream in UNIT_WRITES),
        *(f"pattern read ronde/v1/%u/{stream}" for stream in UNIT_READS),
        "",
        "# The backend.",
        f"user {RECEIVER}",
        "topic read ronde/v1/+/+/+",
        "topic write ronde/v1/+/+/ack",
        "topic write ronde/v1/+/+/command",
    ]
    return "\n".join((*lines, ""))
