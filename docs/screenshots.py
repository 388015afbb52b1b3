"""Pictures of the map for docs/map.md and the README: `python docs/screenshots.py DIR`, where `ronde demo --out DIR` has been."""

import argparse
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from sync.map.server import map_place, serving_map

HERE = Path(__file__).parent
APART_PX = 24
GROUND = (214, 219, 214)


def main() -> None:
    """Writes map.png, map-finding.png and map-phone.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, metavar="DIR", help="holds receiver.db")
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="where to write (default: docs)")
    args = parser.parse_args()
    with serving_map(f"sqlite:///{(args.demo / 'receiver.db').resolve()}", map_place(0)) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        page = _opened(browser, address, "en-GB", 1440, 900)
        _save(_picture(page), args.out / "map.png")
        _save(_finding(page), args.out / "map-finding.png")
        _save(_phone(browser, address), args.out / "map-phone.png")
        browser.close()


def _finding(page: Page) -> Image.Image:
    _open_one(page)
    return _picture(page)


def _open_one(page: Page) -> None:
    """A pothole with a picture, of two rounds if there is one."""
    photo = page.locator("#list button", has=page.locator("img"))
    holes = photo.filter(has_text=re.compile("Pothole|Nid-de-poule"))
    for rows in (holes.filter(has=page.locator(".state-worse")), holes.filter(has_not=page.locator(".state")), holes, photo):
        if rows.count():
            rows.first.click()
            break
    page.wait_for_selector("ol.history")
    page.wait_for_load_state("networkidle")


def _phone(browser: Browser, address: str) -> Image.Image:
    page = _opened(browser, address, "fr-FR", 360, 740)
    pictures = [_picture(page)]
    _open_one(page)
    pictures.append(_picture(page))
    page.keyboard.press("Escape")
    page.locator("#tab-units").click()
    pictures.append(_picture(page))
    width = sum(each.width for each in pictures) + APART_PX * (len(pictures) + 1)
    whole = Image.new("RGB", (width, pictures[0].height + 2 * APART_PX), GROUND)
    for number, each in enumerate(pictures):
        whole.paste(each, (APART_PX + number * (each.width + APART_PX), APART_PX))
    return whole


def _opened(browser: Browser, address: str, language: str, width: int, height: int) -> Page:
    page = browser.new_page(locale=language, timezone_id="Europe/Paris", viewport={"width": width, "height": height})
    page.goto(address)
    page.wait_for_selector("#status[data-state=live]")
    page.wait_for_selector("#list button")
    return page


def _picture(page: Page) -> Image.Image:
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _save(picture: Image.Image, file: Path) -> None:
    picture.save(file, optimize=True)


if __name__ == "__main__":
    main()
