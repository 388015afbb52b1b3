"""An erasure on command: what `ronde erase` does, while the unit runs. `ronde sync` does it between two deliveries.

Everybody else lets go of the database first (`sync.erasing`): the capture ends its round, rests, and begins another afterwards.
Where somebody does not let go in time nothing is erased, and the answer says so.
"""

import fcntl
import os
from typing import Final

from provisioning.log import events
from provisioning.settings import Settings
from sync import erasing
from sync.audit import Audit
from sync.commands_book import Book, Outcome
from sync.commands_obeyed import say
from sync.custody import held
from sync.erase import DATABASE, erase, note
from sync.failure import DatabaseFailed, disk_failure
from sync.health import put_health
from sync.hold import hold_folder

TRIES: Final = 2
"""Each waits for the others as long as `sync.hold.LET_GO_S`."""

log = events("sync")


def erase_where_asked(settings: Settings) -> None:
    """Erases, if a command has asked for it and it was not done yet. Nobody of this process has the database open.

    Raises:
        DatabaseFailed: the disk does not do it; the mark stays, and it is tried again when `ronde sync` starts.
        DatabaseDamaged: the new database is damaged already.
    """
    state = settings.unit.state
    mark = erasing.asked(state)
    if mark is None:
        return
    try:
        erasing.ask(state, mark.sequence)  # a mark of an earlier boot makes nobody let go
    except OSError as error:
        raise disk_failure(f"{state / erasing.ASKED} cannot be written", error) from error
    outcome = _erase(settings, mark.sequence)
    try:
        erasing.done(state)
    except OSError as error:
        raise disk_failure(f"{state / erasing.ASKED} cannot be removed", error) from error
    with held(state / DATABASE) as db:
        Book(db, state).answer(mark.sequence, outcome)
        say(Audit(state), mark.sequence, "erase", outcome)
        put_health(db, settings.unit, settings.backends)


def _erase(settings: Settings, sequence: int) -> Outcome:
    state = settings.unit.state
    hold = None
    for _ in range(TRIES):
        try:
            hold = hold_folder(state, fcntl.LOCK_EX)
            break
        except DatabaseFailed as error:
            log.warning("erase_waits", reason=str(error))
    if hold is None:
        return "not_let_go"
    try:
        erased = erase(state)
        note(state, erased.contents, f"command {sequence}")
    except DatabaseFailed as error:
        log.error("erase_failed", reason=str(error))
        return "not_erased"
    finally:
        os.close(hold)
    log.info("unit_erased", sequence=sequence, photos=erased.contents.photos)
    return "done"
