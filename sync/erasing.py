"""A unit that is to be erased while it runs: the mark in its state folder that makes everybody let go of the database.

The mark is durable, so that a power cut in the middle is followed by the rest. Whoever has the database open closes it at the
next transaction, and nobody opens it again while the mark is young; the capture rests meanwhile, and begins another round
afterwards.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from device.boot import boot_id, now_s
from provisioning.durable import sync_folder, write_durably

ASKED: Final = "erase.asked"

LONGEST_S: Final = 120.0
"""A mark that is older holds nobody up: the one who should erase has gone, and the road goes on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """By which command, and when on the clock of which boot."""

    sequence: int
    boot: str
    boot_s: float


def ask(state: Path, sequence: int) -> None:
    """Asks everybody to let go.

    Raises:
        OSError: the disk does not take the mark; nobody is asked.
    """
    write_durably(state / ASKED, json.dumps(asdict(Asked(sequence, boot_id(), now_s()))).encode())


def asked(state: Path) -> Asked | None:
    """Who has asked, None where nobody has. A mark that cannot be read counts: what it stands for is an erasure."""
    try:
        document = json.loads((state / ASKED).read_bytes())
        return Asked(int(document["sequence"]), str(document["boot"]), float(document["boot_s"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Asked(0, "", 0.0)


def holds_up(state: Path) -> bool:
    """Whether nobody may have the database open now."""
    if not (state / ASKED).exists():
        return False
    mark = asked(state)
    return mark is not None and mark.boot == boot_id() and now_s() - mark.boot_s < LONGEST_S


def done(state: Path) -> None:
    """It is over, one way or the other.

    Raises:
        OSError: the mark stays, and the unit will be erased once more.
    """
    (state / ASKED).unlink(missing_ok=True)
    sync_folder(state)
