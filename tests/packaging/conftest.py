"""A Debian in an image of its own, with the package before in it, and its power in the test's hands."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync.faults.cuts import shut_down

DEADLINE_S = 300.0
IMAGE_BYTES = 3 * 1024**3
BEFORE, AFTER = "98.0.0", "99.0.0"
"""The versions that `./run deb-test` builds."""
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True)
class Root:
    """A Debian that is mounted at `folder`, from the file `image`."""

    image: Path
    folder: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, without any network."""
        done = subprocess.run(self.command(command), capture_output=True, text=True, check=False, env=PATH, timeout=DEADLINE_S)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def command(self, command: Sequence[str]) -> list[str]:
        return ["unshare", "--net", "chroot", str(self.folder), *command]

    def bring(self, version: str) -> str:
        """Copies the package of that version into it; its name there."""
        shutil.copy(debs() / f"ronde_{version}_amd64.deb", self.folder / "tmp")
        return f"/tmp/ronde_{version}_amd64.deb"

    def install(self, version: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("dpkg", "--install", self.bring(version), check=check)

    def version(self) -> str:
        """What `ronde --version` says."""
        return self.run("ronde", "--version").stdout.strip().removeprefix("ronde ")

    def state(self) -> str:
        """Of the package, as dpkg sees it: `ii ` is installed, `rc ` removed."""
        return self.run("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Version}", "ronde", check=False).stdout

    def doctor(self) -> dict[str, str]:
        """Each check's name to its state."""
        done = self.run("ronde", "doctor", "--json", check=False)
        assert done.returncode == 3, done.stderr  # a chroot has no receiver
        return {each["name"]: each["state"] for each in json.loads(done.stdout)["checks"]}

    def mount(self) -> None:
        self.folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.folder)], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", str(self.folder / "proc")], check=True)
        subprocess.run(["mount", "--bind", "/dev", str(self.folder / "dev")], check=True)

    def unmount(self) -> None:
        for each in ("dev", "proc", "."):
            subprocess.run(["umount", str(self.folder / each)], check=False, capture_output=True)

    def copy(self, folder: Path) -> "Root":
        """The same once more; it is not mounted."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(self.image), str(folder / "image")], check=True)
        return Root(folder / "image", folder / "root")

    def install_until(self, version: str, moment: Callable[[Path], bool], what: str) -> None:
        """Begins to install; at that moment the power goes, and comes back."""
        os.sync()
        command = self.command(["dpkg", "--install", self.bring(version)])
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PATH) as process:
            until(lambda: process.poll() is not None or moment(self.folder), what)
            assert process.poll() is None, "the installation ended before the cut"
            shut_down(self.folder)
            process.kill()
        until(lambda: not pids_in(self.folder), "nobody works in it any more")
        self.unmount()
        self.mount()


def pids_in(folder: Path) -> list[int]:
    """The processes whose root is that folder; they are ended."""
    found = [int(each.parent.name) for each in Path("/proc").glob("[0-9]*/root") if _points_to(each, folder)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _points_to(link: Path, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return link.readlink() == folder
    return False


def until(holds: Callable[[], bool], what: str, within_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        os.sched_yield()


def debs() -> Path:
    return Path(os.environ["RONDE_DEBS"])


def make_root(suite: str, folder: Path) -> Root:
    """A fresh Debian of that suite, with all that the package depends on."""
    folder.mkdir()
    root = Root(folder / "image", folder / "root")
    with root.image.open("wb") as out:
        out.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(root.image)], check=True)
    root.folder.mkdir()
    subprocess.run(["mount", "-o", "loop", str(root.image), str(root.folder)], check=True)
    tar = Path(os.environ["RONDE_ROOTS"]) / f"{suite}-amd64.tar"
    subprocess.run(["tar", "--extract", "--file", str(tar), "--directory", str(root.folder)], check=True)
    subprocess.run(["umount", str(root.folder)], check=True)
    return root


@pytest.fixture(scope="session")
def bookworm(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Not mounted, and without the package."""
    return make_root("bookworm", tmp_path_factory.mktemp("bookworm") / "fresh")


@pytest.fixture(scope="session")
def bookworm_before(bookworm: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Not mounted; the version before is installed, with a configuration, an identity, a database and photos."""
    root = bookworm.copy(tmp_path_factory.mktemp("before"))
    root.mount()
    try:
        root.install(BEFORE)
        (root.folder / "etc/ronde/ronde.toml").write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n')
        (root.folder / "etc/ronde/tls/unit.key").write_text("the key of this unit\n")
        (root.folder / "tmp/fill.py").write_text(FILL)
        python = f"/opt/ronde/versions/{BEFORE}-python3.11/bin/python"
        root.run("setpriv", "--reuid=ronde", "--regid=ronde", "--clear-groups", python, "/tmp/fill.py")
    finally:
        root.unmount()
    return root


FILL = """\
from pathlib import Path
from sync.database import open_database, transaction
state = Path("/var/lib/ronde")
db = open_database(state / "ronde.db")
with transaction(db):
    db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('r-1', '98', '{}', '{}')")
db.close()
(state / "frames/r-1").mkdir(parents=True)
for number in range(20):
    (state / f"frames/r-1/{number}.jpg").write_bytes(bytes([number]) * 10_000)
"""


@pytest.fixture
def fresh(bookworm: Root, tmp_path: Path) -> Iterator[Root]:
    """Bookworm without the package."""
    yield from mounted(bookworm, tmp_path)


@pytest.fixture
def trixie(tmp_path: Path) -> Iterator[Root]:
    """Trixie without the package."""
    yield from mounted(make_root("trixie", tmp_path / "made"), tmp_path)


@pytest.fixture
def before(bookworm_before: Root, tmp_path: Path) -> Iterator[Root]:
    """Bookworm with the version before, and its data."""
    yield from mounted(bookworm_before, tmp_path)


def mounted(root: Root, folder: Path) -> Iterator[Root]:
    copy = root.copy(folder)
    copy.mount()
    yield copy
    pids_in(copy.folder)
    copy.unmount()
    copy.image.unlink()
