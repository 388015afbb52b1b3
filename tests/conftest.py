"""What tests of several packages share: recorded data, free ports, a real gpsd, a simulated receiver, and a real Chromium."""

import contextlib
import importlib.resources
import json
import math
import os
import pty
import shutil
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
import referencing

from device.earth import offset
from sync.broker import Received
from sync.event import SCHEMAS, schema

PROJECT = Path(__file__).parents[1]
DEADLINE_S = 10.0
BROWSER_DEADLINE_S = 30.0
AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""The rules of axe-core that a page keeps: WCAG 2.2 at level AA, contrast among them, and what else is good practice."""


@pytest.fixture(scope="session")
def ronde_data() -> Path:
    """The folder of recorded pictures and logs; without it the test is skipped."""
    folder = Path(os.environ.get("RONDE_DATA", PROJECT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set RONDE_DATA to the folder of the data sets")
    return folder


@pytest.fixture
def own_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 30 MB with a file system of its own."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("a disk of its own needs root and mkfs.ext4")
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as out:
        out.truncate(30 * 1024 * 1024)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("no loop mount here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def free_ports() -> Callable[[], int]:
    """Gives a free TCP port of 127.0.0.1 at each call."""

    def one() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return one


@pytest.fixture
def free_port(free_ports: Callable[[], int]) -> int:
    """One free TCP port of 127.0.0.1."""
    return free_ports()


def read_nmea(log: Path) -> list[bytes]:
    """The lines of a recorded log, byte for byte, without the description at its head."""
    return [line for line in log.read_bytes().splitlines(keepends=True) if not line.startswith(b"#")]


def sentence(body: str) -> bytes:
    """An NMEA sentence with its checksum."""
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode("ascii")


def nmea_report(
    taken_at: datetime, latitude_deg: float, longitude_deg: float, speed_mps: float, course_deg: float, *, hdop: float = 0.8
) -> bytes:
    """What a receiver with a good fix says in one cycle: GGA, GSA and RMC."""
    clock = taken_at.strftime("%H%M%S.") + f"{taken_at.microsecond // 10_000:02d}"
    place = f"{_angle(latitude_deg, 2)},{'N' if latitude_deg >= 0 else 'S'}"
    place += f",{_angle(longitude_deg, 3)},{'E' if longitude_deg >= 0 else 'W'}"
    return (
        sentence(f"GPGGA,{clock},{place},1,10,{hdop:.1f},12.0,M,48.0,M,,")
        + sentence(f"GPGSA,A,3,01,02,03,04,05,06,07,08,09,10,,,1.5,{hdop:.1f},1.2")
        + sentence(f"GPRMC,{clock},A,{place},{speed_mps * 3600 / 1852:.3f},{course_deg:.2f},{taken_at:%d%m%y},,,A")
    )


def nmea_straight(
    seconds: float,
    speed_mps: float,
    *,
    rate_hz: float = 1.0,
    course_deg: float = 60.0,
    start: tuple[float, float] = (43.5528, 7.0174),
    started_at: datetime | None = None,
) -> Iterator[bytes]:
    """One item a cycle, of a car that drives straight on at an even speed; by default it began now.

    gpsd 3.22 believes no date before it was made: it adds 1024 weeks to it. So the drive is of today unless a test says when.
    """
    began = started_at or datetime.now(timezone.utc).replace(microsecond=0)
    for cycle in range(round(seconds * rate_hz)):
        driven_m = speed_mps * cycle / rate_hz
        east_m = driven_m * math.sin(math.radians(course_deg))
        north_m = driven_m * math.cos(math.radians(course_deg))
        yield nmea_report(began + timedelta(seconds=cycle / rate_hz), *offset(*start, east_m, north_m), speed_mps, course_deg)


def _angle(degrees: float, digits: int) -> str:
    # Rounded as a whole: minutes of 60.000000 would be refused.
    units = round(abs(degrees) * 60_000_000)
    whole, minutes = divmod(units, 60_000_000)
    return f"{whole:0{digits}d}{minutes // 1_000_000:02d}.{minutes % 1_000_000:06d}"


@pytest.fixture(name="nmea_straight")
def _nmea_straight() -> Callable[..., Iterator[bytes]]:
    return nmea_straight


@pytest.fixture(name="nmea_report")
def _nmea_report() -> Callable[..., bytes]:
    return nmea_report


@pytest.fixture(name="sentence")
def _sentence() -> Callable[[str], bytes]:
    return sentence


@pytest.fixture(name="read_nmea")
def _read_nmea() -> Callable[[Path], list[bytes]]:
    return read_nmea


@pytest.fixture
def gpsd(free_ports: Callable[[], int]) -> Iterator[Callable[[Iterable[bytes], float], tuple[str, int]]]:
    """Starts a real gpsd on a pseudo terminal: `gpsd(pieces, period_s)` gives its host and port.

    Each piece is written `period_s` after the one before, the first when gpsd answers. What is started ends with the test.
    """
    if shutil.which("gpsd") is None:
        pytest.skip("gpsd is not installed")
    with contextlib.ExitStack() as stack:

        def start(pieces: Iterable[bytes], period_s: float) -> tuple[str, int]:
            port = free_ports()
            stack.enter_context(_receiver(pieces, period_s, port))
            return "127.0.0.1", port

        yield start


@contextlib.contextmanager
def _receiver(pieces: Iterable[bytes], period_s: float, port: int) -> Iterator[None]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    # -b: gpsd does not configure the receiver; it has nobody to answer.
    daemon = subprocess.Popen(
        ["gpsd", "-N", "-n", "-b", "-S", str(port), os.ttyname(theirs)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    ended = threading.Event()
    feeder = threading.Thread(target=_feed, args=(ours, pieces, period_s, ended), name="receiver")
    try:
        _until_it_answers(daemon, port)
        feeder.start()
        yield
    finally:
        ended.set()
        daemon.terminate()
        daemon.wait(DEADLINE_S)
        if feeder.ident is not None:
            feeder.join(DEADLINE_S)
        os.close(ours)
        os.close(theirs)


def _feed(terminal: int, pieces: Iterable[bytes], period_s: float, ended: threading.Event) -> None:
    os.set_blocking(terminal, False)
    for piece in pieces:
        # A full terminal means that gpsd has stopped reading: what does not fit is lost, as on a serial line.
        with contextlib.suppress(BlockingIOError):
            os.write(terminal, piece)
        if ended.wait(period_s):
            return


def _until_it_answers(daemon: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while daemon.poll() is None and time.monotonic() < deadline_s:
        with socket.socket() as probe:
            # It listens a second before it answers, and what a receiver sends meanwhile is lost.
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                probe.settimeout(max(0.001, deadline_s - time.monotonic()))
                if b"VERSION" in probe.recv(1000):
                    return
        pause.wait(0.02)
    raise RuntimeError(f"gpsd did not answer on {port} within {DEADLINE_S:g} s (exit status {daemon.poll()})")


class Validator:
    """Validates what is sent against the shipped schemas."""

    def __init__(self) -> None:
        documents = {name: schema(name) for name in SCHEMAS}
        pairs = [(document["$id"], referencing.Resource.from_contents(document)) for document in documents.values()]
        registry = referencing.Registry().with_resources(pairs)
        self._validators = {
            name: jsonschema.Draft202012Validator(document, registry=registry, format_checker=jsonschema.FormatChecker())
            for name, document in documents.items()
        }

    def __call__(self, name: str, document: object) -> None:
        self._validators[name].validate(document)

    def message(self, received: Received) -> str:
        """Validates a message by its topic; its stream."""
        stream = received.topic.rpartition("/")[2]
        self("event" if stream not in ("state", "ack") else stream, json.loads(received.payload))
        return stream


@pytest.fixture(scope="session")
def validate() -> Validator:
    return Validator()


@pytest.fixture(scope="session")
def chromium():
    """A real browser without a window."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium here: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def look(chromium):
    """Opens a page, and says at the end what its browser complained about and which other hosts were asked."""
    complaints, opened = [], []

    @contextlib.contextmanager
    def looking(address, *, language="en-GB", width=1280, height=800, deaf=False, wait=True, allowed="", **options):
        home = urlsplit(address).netloc
        with contextlib.closing(
            chromium.new_context(
                locale=language, timezone_id="Europe/Paris", viewport={"width": width, "height": height}, **options
            )
        ) as context:
            page = context.new_page()
            page.set_default_timeout(BROWSER_DEADLINE_S * 1000)
            page.on("request", lambda request: _note(request.url, (home, allowed), opened))
            if not deaf:
                page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            if wait:
                page.goto(address)
            else:
                page.goto("about:blank")
            yield page

    yield looking
    assert complaints == []
    assert opened == [], "the page asked another host"


def _note(url, hosts, opened):
    if not url.startswith(("data:", "blob:", "about:")) and urlsplit(url).netloc not in hosts:
        opened.append(url)


@pytest.fixture(scope="session")
def barriers():
    """What axe-core finds in somebody's way: `barriers(page)` gives a sentence for each place, none where all is well."""
    # axe-core is MPL-2.0 and stays in that package (MIT): nothing of ronde's contains it.
    package = pytest.importorskip("axe_playwright_python")
    axe = (importlib.resources.files(package) / "axe.min.js").read_text(encoding="utf-8")

    def found(page, within="body"):
        # As a debugger does it: a script tag would be refused by the page's own policy.
        page.evaluate(axe)
        options = {"runOnly": {"type": "tag", "values": AA}, "resultTypes": ["violations"]}
        report = page.evaluate("([within, options]) => axe.run(within, options)", [within, options])
        assert report["passes"], "axe-core looked at nothing"
        return [_barrier(rule, node) for rule in report["violations"] for node in rule["nodes"]]

    return found


def _barrier(rule, node):
    why = "; ".join(each["message"] for kind in ("any", "all", "none") for each in node[kind])
    return f"{rule['id']}: {node['target'][0]}: {why}"
