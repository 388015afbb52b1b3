"""A PostgreSQL server of one's own, for benches and tests: a new cluster in a temporary folder, behind a socket.

It runs with the server's own defaults, fsync among them, and is ended by its own process id.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

START_S = 60.0
STOP_S = 30.0
PAUSE_S = 0.05
USER: Final = "ronde"


class PostgresMissing(Exception):
    """No server can be started here: one sentence."""


class ScratchPostgres:
    """A running cluster. `url` names a database of it; its superuser is `ronde` and has no password."""

    def __init__(self, folder: Path, programs: Path, owner: Mapping[str, Any]) -> None:
        self.folder = folder
        self._programs = programs
        self._owner = owner
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        # What initdb writes need not survive a power cut; the running server has fsync on.
        options = ("--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
        self._run("initdb", "--pgdata", str(self._data), *options)
        self.start()

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """The address of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self.folder, "-c", "listen_addresses="],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._owner,
            )  # fmt: skip
        deadline_s, pause = time.monotonic() + START_S, threading.Event()
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise PostgresMissing(f"PostgreSQL does not start: {self._log.read_text(errors='replace')[-500:]}")
            pause.wait(PAUSE_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ends the server: SIGINT in good order, SIGQUIT at once, as a power cut would."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "--quiet", "--host", str(self.folder), "--username", USER]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / name), *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **self._owner
        )
        if done.returncode != 0:
            raise PostgresMissing(f"{name} failed: {done.stderr.strip()[-500:]}")


@contextmanager
def scratch_postgres() -> Iterator[ScratchPostgres]:
    """A server for the length of a block.

    Raises:
        PostgresMissing: it is not installed, or does not start.
    """
    programs, owner = _programs(), _owner()
    with tempfile.TemporaryDirectory(prefix="ronde-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        server = ScratchPostgres(folder, programs, owner)
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # nothing of it is wanted any more


def _programs() -> Path:
    """The folder of the newest server: Debian keeps its programs out of PATH."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda file: int(file.parts[-3])).parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise PostgresMissing("PostgreSQL is not installed (Debian: apt-get install postgresql postgresql-15-postgis-3)")
    return Path(on_path).resolve().parent


def _owner() -> dict[str, Any]:
    """Who runs it: PostgreSQL refuses root, so root gives it to Debian's `postgres`, or to nobody."""
    if os.geteuid() != 0:
        return {}
    names = {each.pw_name: each for each in pwd.getpwall()}
    chosen = names.get("postgres") or names["nobody"]
    return {"user": chosen.pw_uid, "group": chosen.pw_gid, "extra_groups": []}
