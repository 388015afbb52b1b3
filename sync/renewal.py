"""A certificate that is renewed on command: `ronde sync` may not write it, and starts no process.

It touches a file in the state folder. systemd sees that (`ronde-renew-now.path`) and starts the service that renews, as root;
sync then sees another certificate, or none in time.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.boot import now_s
from provisioning.durable import write_durably

ASKED: Final = "renew.asked"
PATIENCE_S: Final = 600.0
"""So long the desk may take: the service itself gives up after two minutes."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """One that was asked for at `asked_s` on the boot clock; `before` is the certificate as it was."""

    sequence: int
    file: Path
    before: bytes
    asked_s: float

    def outcome(self) -> str | None:
        """`done` or `not_renewed`; None while it is not known."""
        now = _content(self.file)
        if now and now != self.before:
            return "done"
        return "not_renewed" if now_s() - self.asked_s > PATIENCE_S else None


def ask(state: Path, sequence: int, certificate: Path) -> Renewal:
    """Asks for it.

    Raises:
        OSError: the disk does not take it.
    """
    write_durably(state / ASKED, f"{sequence}\n".encode())
    return Renewal(sequence, certificate, _content(certificate), now_s())


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
