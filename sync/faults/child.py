"""A process that a row starts: its lines are read as they come, it is killed by its own id, and it never outlives the row."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sync.faults.ground import Ground

STOP_S = 20.0
KEPT_LINES = 2000


def ronde(*argv: object) -> list[str]:
    """The command line of `ronde`, in this very Python."""
    return [sys.executable, "-m", "sync.command", *map(str, argv)]


class Child:
    """A running process, leader of a group of its own so that what it starts ends with it.

    `line` is told each line of its stdout, in a thread; `stderr` keeps the newest of its other lines.
    """

    def __init__(
        self,
        ground: Ground,
        argv: Sequence[str],
        *,
        line: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.stderr: list[str] = []
        self._name = " ".join(argv[1:4])
        self._said = said
        self.process = subprocess.Popen(
            argv,
            cwd=ground.folder,
            env={**os.environ, **_importable(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        ground.at_end(self.kill)
        ground.listen(self.last_words)
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, line), name="child-out", daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._keep), name="child-err", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Of the process itself."""
        return self.process.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Its name, how it ended, and its last line."""
        ended = "" if self.alive() else f" ended with {self.process.returncode}"
        return f"{self._name}{ended}: {' | '.join(self.stderr[-2:])}"

    def heard(self, word: str) -> bool:
        """Whether it has said a line with `word` on stderr."""
        return any(word in each for each in list(self.stderr))

    def kill(self) -> bool:
        """SIGKILL to the process and what it started; whether it was alive. All that it said has been read afterwards."""
        alive = self.alive()
        if alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()
        return alive

    def stop(self, within_s: float = STOP_S) -> int:
        """SIGTERM, and its exit code; killed where it takes longer."""
        if self.alive():
            os.killpg(self.process.pid, signal.SIGTERM)  # a tracer passes nothing on
        return self.ended(within_s)

    def ended(self, within_s: float) -> int:
        """Waits for its end by itself; its exit code. Killed where it takes longer."""
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()
        return self.process.returncode

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(STOP_S)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self, stream: object, tell: Callable[[str], None]) -> None:
        assert hasattr(stream, "__iter__")
        for each in stream:
            tell(each.rstrip("\n"))

    def _keep(self, each: str) -> None:
        self.stderr.append(each)
        if len(self.stderr) > KEPT_LINES:
            del self.stderr[: KEPT_LINES // 2]
        self._said(each)


def _importable() -> dict[str, str]:
    """The packages of this very ronde, also where it is not installed."""
    here = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}
