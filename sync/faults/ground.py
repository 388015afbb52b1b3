"""Where a row runs: a folder, and all that it started or mounted, which ends with it however it ends."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DEADLINE_S = 60.0
PAUSE_S = 0.02
SPEAKERS = 6
"""How many processes are asked for their last words."""


class TooLate(Exception):
    """Something did not happen in time; the message says what."""


def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> float:
    """Waits for something in another process, which has no event to wait on; the seconds it took.

    Raises:
        TooLate: it did not happen within `deadline_s`.
    """
    begun_s = time.monotonic()
    pause = threading.Event()
    while not condition():
        if time.monotonic() - begun_s > deadline_s:
            raise TooLate(f"not within {deadline_s:g} s: {what}")
        pause.wait(PAUSE_S)
    return time.monotonic() - begun_s


def pause(seconds: float) -> None:
    """A fault's own moment: nothing is waited for."""
    threading.Event().wait(seconds)


@contextmanager
def ground() -> Iterator["Ground"]:
    """A ground for the length of a block."""
    with ExitStack() as stack:
        yield Ground(stack)


class Ground:
    """A folder of its own below the system's temporary folder. What is registered here ends when the block is left."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._said: list[Callable[[], str]] = []
        temporary = tempfile.TemporaryDirectory(prefix="ronde-faults-", ignore_cleanup_errors=True)
        self.folder = Path(stack.enter_context(temporary))

    def at_end(self, do: Callable[[], object]) -> None:
        """Done when the block is left, the latest first."""
        self._stack.callback(do)

    def listen(self, last_words: Callable[[], str]) -> None:
        """`last_words` tells what a process said last, for whoever asks why a row could not go on."""
        self._said.append(last_words)

    def last_words(self) -> str:
        """Of the processes that were started last."""
        return "; ".join(filter(None, (said() for said in self._said[-SPEAKERS:])))

    def folder_of(self, name: str) -> Path:
        """A new folder."""
        made = self.folder / name
        made.mkdir(parents=True)
        return made


class Disk:
    """An ext4 file system of its own in an image file, for root alone."""

    def __init__(self, ground: Ground, name: str, mebibytes: int) -> None:
        self.image = ground.folder / f"{name}.img"
        self.mount_point = ground.folder_of(name)
        with self.image.open("wb") as made:
            made.truncate(mebibytes * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        ground.at_end(self.unmount)
        self._mounted = False
        self.mount()

    def mount(self, *options: str) -> None:
        """Mount it; the journal of the file system is played back."""
        _run("mount", "-o", ",".join(("loop", *options)), str(self.image), str(self.mount_point))
        self._mounted = True

    def remount(self, option: str) -> None:
        """Change an option of the mounted file system."""
        _run("mount", "-o", f"remount,{option}", str(self.mount_point))

    def unmount(self) -> None:
        """Safe to call twice; a file system that is busy goes as soon as it is not."""
        if self._mounted:
            self._mounted = False
            if subprocess.run(["umount", str(self.mount_point)], capture_output=True, check=False).returncode:
                subprocess.run(["umount", "-l", str(self.mount_point)], capture_output=True, check=False)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TooLate(f"{argv[0]} failed: {done.stderr.strip() or done.returncode}")
