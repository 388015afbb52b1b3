"""Pictures of the driver's panel for docs/panel.md and docs/drivers.md: `python docs/panel_screenshots.py`.

The state folder is made here, with a round of today; the page, its states and its words are the real ones.
"""

import argparse
import io
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from device.boot import boot_id, now_s
from provisioning.settings import Panel, Settings, Unit
from sync.condition import Condition, Teller
from sync.contact import note_contact
from sync.database import Held, open_database, transaction
from sync.event import iso
from sync.panel.server import serving_panel
from sync.reasons import OfCapture, State
from sync.request import put_request, take_pauses

HERE = Path(__file__).parent
APART_PX = 20
GROUND = (208, 213, 216)
STATES: Sequence[tuple[State, tuple[OfCapture, ...]]] = (
    ("recording", ()),
    ("waiting", ("no_fix",)),
    ("fault", ("camera_stalled",)),
    ("paused", ()),
)
MISSING = ((412.0, 36.0, "no_fix"), (1204.0, 12.0, "hiding_failed"))
PLACE = (43.5528, 7.0174)


def main() -> None:
    """Writes panel.png, panel-night.png, panel-screen.png, panel-hazard.png and panel-patrol.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="where to write (default: docs)")
    args = parser.parse_args()
    with car() as (db, settings), serving_panel(settings) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        save(beside(states(opened(browser, address, "fr-FR", (360, 740), "light"), db)), args.out / "panel.png")
        save(beside(states(opened(browser, address, "en-GB", (360, 740), "dark"), db)), args.out / "panel-night.png")
        save(next(iter(states(opened(browser, address, "fr-FR", (1024, 600), "light"), db))), args.out / "panel-screen.png")
        save(hazard(browser, address), args.out / "panel-hazard.png")
        save(patrol(browser, address), args.out / "panel-patrol.png")
        browser.close()


@contextmanager
def car() -> Iterator[tuple[Held, Settings]]:
    """A unit that has driven a kilometre and a half today, with a hazard."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        with closing(open_database(state / "ronde.db")) as db:
            with transaction(db):
                drive(db)
                note_contact(db)
            yield db, Settings(Unit("cannes", "car-07", state), panel=Panel(address="127.0.0.1", port=port))


def drive(db: Held) -> None:
    """A round straight to the north, its gaps, two findings and a hazard."""
    began, round_id = datetime.now(timezone.utc) - timedelta(minutes=4), f"{boot_id()[:8]}-1"
    times = [iso(began + timedelta(seconds=n * 0.5)) for n in range(380)]
    db.conn.execute(
        "INSERT INTO round (id, started_at, software, models, settings) VALUES (?, ?, '', '{}', '{}')", [round_id, times[0]]
    )
    for n, at in enumerate(times):
        if not any(begin < 4.0 * n < begin + length for begin, length, _ in MISSING):
            db.conn.execute(
                "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, odometer_m, "
                "position_source, hidden, sha256) VALUES (?, ?, ?, 'gnss', ?, ?, 3.0, ?, 'between_fixes', 0, '')",
                [f"{round_id}-{n:06d}", round_id, at, PLACE[0] + 4.0 * n / 111_320.0, PLACE[1], 4.0 * n],
            )
    for gap in MISSING:
        db.conn.execute("INSERT INTO gap (round_id, odometer_m, length_m, reason) VALUES (?, ?, ?, ?)", [round_id, *gap])
    for n in range(4):
        piece = [round_id, n, n * 500.0, min(1516.0, n * 500.0 + 500.0), times[0], times[-1], "[]"]
        db.conn.execute(
            "INSERT INTO track (round_id, n, from_m, to_m, from_at, to_at, points) VALUES (?, ?, ?, ?, ?, ?, ?)", piece
        )
    for n, (label, note) in enumerate((("pothole", None), ("drain", None), ("hazard", "branche sur la voie")), 1):
        db.conn.execute(
            "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id, "
            "seen_at, note) VALUES (?, ?, ?, 1.0, ?, ?, 60.0, 3, ?, ?, ?)",
            [f"{round_id}-f{n}", round_id, label, *PLACE, f"{round_id}-000001", times[200], note],
        )


def states(page: Page, db: Held) -> Iterator[Image.Image]:
    """A picture of each state."""
    for state, reasons in STATES:
        put_request(db, "pause" if state == "paused" else "resume")
        take_pauses(db)
        Teller(db, boot_id()).tell(Condition(state, reasons), now_s())
        page.wait_for_selector(f"body[data-state={state}]")
        yield picture(page)
    page.close()


def hazard(browser: Browser, address: str) -> Image.Image:
    """The page after a press of the large button."""
    page = opened(browser, address, "fr-FR", (360, 1000), "light")
    page.locator("#press-hazard button").click()
    page.wait_for_selector("#note:not([hidden])")
    return picture(page)


def patrol(browser: Browser, address: str) -> Image.Image:
    """The day's rounds."""
    page = opened(browser, f"{address}patrol", "fr-FR", (1024, 900), "light")
    return picture(page)


def opened(browser: Browser, address: str, language: str, size: tuple[int, int], scheme: str) -> Page:
    """A page of this size, with the light of day or at night."""
    width, height = size
    dark = scheme == "dark"
    page = browser.new_page(
        locale=language, viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page.goto(address)
    return page


def picture(page: Page) -> Image.Image:
    """What is drawn now."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def beside(pictures: Iterator[Image.Image]) -> Image.Image:
    """Pictures of one size in a row."""
    all_ = list(pictures)
    whole = Image.new("RGB", ((all_[0].width + APART_PX) * len(all_) + APART_PX, all_[0].height + 2 * APART_PX), GROUND)
    for number, each in enumerate(all_):
        whole.paste(each, (APART_PX + number * (each.width + APART_PX), APART_PX))
    return whole


def save(image: Image.Image, file: Path) -> None:
    """Flat colours: a palette keeps them, and makes the file a third."""
    image.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    main()
