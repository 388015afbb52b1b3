"""Commands as `ronde sync` obeys them: judged, written down, done, answered. No process is started, and no shell.

A backend's thread hands over what came on the topic `command`. A command that is in order in everything but the clock, because
the satellites have not told the time since the boot, waits a while: a car connects sooner than it has a fix.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from sqlite_utils import Database

from provisioning.log import events
from provisioning.settings import Settings
from provisioning.signed import KeyRefused, PublicKey, public_key
from sync import erasing, renewal
from sync.audit import Audit
from sync.commands import Command, CommandRefused, Reason, check, read_command
from sync.commands_book import Book, Outcome
from sync.evidence_asked import ask_evidence
from sync.failure import disk_failure
from sync.health import put_health
from sync.renewal import Renewal
from sync.request import COMMANDED, paused_by_driver, put_request
from sync.satellite_time import satellite_time

KEY_FILE: Final = Path("tls") / "command.pem"
"""Beside the configuration: whose commands are obeyed."""

MOST_WAITING: Final = 8
WAITS_S: Final = 600.0
"""So many commands wait for the clock, and so long."""
FLUSH_S: Final = 1.0
NOTED_EVERY_S: Final = 60.0
"""How often refused commands are counted in the database, and said in the audit log, at most."""

log = events("sync")


class Obeys(Protocol):
    """What becomes of messages on the topic `command`."""

    def take(self, payload: bytes) -> bool:
        """One came; False where it was refused."""
        ...

    def turn(self) -> None:
        """What is due: called between, at least every second or so."""
        ...


class ObeysNobody:
    """A publisher that has no key to know commands by."""

    def take(self, payload: bytes) -> bool:
        """Refused."""
        log.warning("command_refused", reason="no_key", bytes=len(payload))
        return False

    def turn(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What ends all deliveries of this process: `over` is set, and `restart` says whether the process shall end too."""

    over: threading.Event = field(default_factory=threading.Event)
    restart: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Waiting:
    command: Command
    until_s: float


class Obedience:
    """The commands that come through one backend. All calls come from the thread that opened the database."""

    def __init__(self, settings: Settings, db: Database, leave: Leave, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._db = db
        self._leave = leave
        self._clock = clock
        self._state = settings.unit.state
        self._book = Book(db, self._state)
        self._audit = Audit(self._state)
        self._waiting: list[_Waiting] = []
        self._renewals: list[Renewal] = []
        self._refused: Counter[Reason] = Counter()
        self._unsaid: Counter[Reason] = Counter()
        self._flushed_s = self._noted_s = -NOTED_EVERY_S

    def take(self, payload: bytes) -> bool:
        """Judges what came, and obeys it, or lets it wait for the clock.

        Raises:
            DatabaseFailed, DatabaseDamaged: it was not obeyed. Where its number was written down already, it never will be.
        """
        try:
            self._judge(read_command(payload, self._key()))
        except CommandRefused as refusal:
            self._refuse(refusal)
            return False
        return True

    def turn(self) -> None:
        """Judges again what waits for the clock, looks what became of renewals, counts what was refused.

        Raises:
            DatabaseFailed, DatabaseDamaged: as any transaction.
        """
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._judge_again(each)
        for renewal_ in list(self._renewals):
            outcome = renewal_.outcome()
            if outcome is not None:
                self._renewals.remove(renewal_)
                self._answer(renewal_.sequence, "renew_certificate", "done" if outcome == "done" else "not_renewed")
        self._count()

    def _key(self) -> PublicKey:
        source = self._settings.source
        if source is None:
            raise CommandRefused("no_key", "there is no configuration, and no key beside it")
        try:
            return public_key(source.parent / KEY_FILE)
        except KeyRefused as error:
            raise CommandRefused("no_key", f"nobody may command this unit: {error}") from error

    def _judge(self, command: Command, before: _Waiting | None = None) -> None:
        try:
            check(command, self._settings.unit, self._book.last(), satellite_time(self._db))
        except CommandRefused as refusal:
            if refusal.reason != "clock_unset":
                raise
            self._wait(before or _Waiting(command, self._clock() + WAITS_S), refusal)
            return
        self._book.begin(command)
        log.info("command_began", sequence=command.sequence, do=command.do)
        self._obey(command)

    def _judge_again(self, waiting: _Waiting) -> None:
        try:
            self._judge(waiting.command, waiting)
        except CommandRefused as refusal:
            self._refuse(refusal)

    def _wait(self, waiting: _Waiting, refusal: CommandRefused) -> None:
        if self._clock() >= waiting.until_s:
            raise refusal
        if len(self._waiting) >= MOST_WAITING:
            raise CommandRefused("crowded", f"{MOST_WAITING} commands wait for the clock already")
        self._waiting.append(waiting)

    def _obey(self, command: Command) -> None:
        """Does it, and says what became of it. An erasure and a restart are answered by what follows (`sync.delivery`)."""
        sequence = command.sequence
        match command.do:
            case "pause" | "resume":
                self._answer(sequence, command.do, self._pause_or_resume(command))
            case "send_evidence":
                outcome = ask_evidence(self._db, self._settings.backends, command.args["finding_id"])
                self._answer(sequence, command.do, outcome)
            case "renew_certificate":
                self._renew(sequence)
            case "restart_sync":
                self._answer(sequence, command.do, "done")
                self._leave.restart.set()
                self._leave.over.set()
            case "erase":
                self._ask_to_erase(sequence)

    def _pause_or_resume(self, command: Command) -> Outcome:
        """A driver's pause is the driver's: where a car stands off duty is nobody else's affair."""
        if command.do == "resume" and paused_by_driver(self._db):
            return "driver_paused"
        put_request(self._db, "resume" if command.do == "resume" else "pause", f"{COMMANDED}{command.sequence}")
        return "done"

    def _renew(self, sequence: int) -> None:
        certificate = next((each.cert for each in self._settings.backends if each.cert is not None), None)
        if certificate is None:
            self._answer(sequence, "renew_certificate", "no_certificate")
            return
        try:
            self._renewals.append(renewal.ask(self._state, sequence, certificate))
        except OSError as error:
            raise disk_failure(f"{self._state / renewal.ASKED} cannot be written", error) from error
        self._answer(sequence, "renew_certificate", "asked")

    def _ask_to_erase(self, sequence: int) -> None:
        try:
            erasing.ask(self._state, sequence)
        except OSError as error:
            raise disk_failure(f"{self._state / erasing.ASKED} cannot be written", error) from error
        self._leave.over.set()

    def _answer(self, sequence: int, do: str, outcome: Outcome) -> None:
        """Into the table, the audit log, and at once into a health event."""
        self._book.answer(sequence, outcome)
        say(self._audit, sequence, do, outcome)
        put_health(self._db, self._settings.unit, self._settings.backends)

    def _refuse(self, refusal: CommandRefused) -> None:
        log.warning("command_refused", reason=refusal.reason, sentence=str(refusal))
        self._refused[refusal.reason] += 1

    def _count(self) -> None:
        """Refused commands, seldom: whoever floods the topic shall not wear out the disk."""
        now = self._clock()
        if self._refused and now - self._flushed_s >= FLUSH_S:
            self._book.count(self._refused)
            self._unsaid += self._refused
            self._refused.clear()
            self._flushed_s = now
        if self._unsaid and now - self._noted_s >= NOTED_EVERY_S:
            self._audit.append("commands_refused", {str(reason): number for reason, number in self._unsaid.items()})
            self._unsaid.clear()
            self._noted_s = now


def say(audit: Audit, sequence: int, do: str, outcome: Outcome) -> None:
    """A line about a command that was in order.

    Raises:
        AuditNotWritten: the disk does not take it.
    """
    went = outcome in ("done", "asked")
    audit.append("command_obeyed" if went else "command_failed", {"sequence": sequence, "do": do, "outcome": outcome})
