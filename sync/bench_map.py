"""`ronde bench map`: how soon the map shows ten thousand findings, and how soon a filter is done, measured in a real browser.

The browser is opened anew for each load, so that nothing is kept from the one before. Times are the browser's own: from the
beginning of the navigation to the frame that shows it.
"""

import argparse
import importlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from provisioning.settings import Unit
from sync.exit import DONE, UNDONE
from sync.map.options import MapRefused
from sync.map.sample import connected, fill, rounds_of, utc
from sync.receiver.databases import open_store

FINDINGS: Final = 10_000
ROUNDS: Final = 6
UNITS: Final = ("car-07", "car-12")
LOADS: Final = 5
FILTERS: Final = 12
BEGAN_AT: Final = utc("2026-03-02T07:00:00")
PATIENCE_MS: Final = 60_000
WINDOW: Final = {"width": 1440, "height": 900}
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")

FIRST_MS: Final = 2000.0
FILTER_MS: Final = 200.0
"""The goals: of the median load, and of the slowest filter."""

LOADED: Final = "() => performance.getEntriesByName('ronde-loaded').length > 0"
MARKS: Final = """() => Object.fromEntries(["paint", "mark"]
    .flatMap((kind) => performance.getEntriesByType(kind))
    .map((each) => [each.name, each.startTime]))"""

TIMED: Final = """async ([selector, value]) => {
    const element = document.querySelector(selector);
    const start = performance.now();
    if (value === null) element.click();
    else { element.value = value; element.dispatchEvent(new Event("change", { bubbles: true })); }
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    return performance.now() - start;
}"""
"""From the press to the second frame after it: the first one draws, and the second comes when that is on the screen."""

MOVED: Final = """async () => {
    const box = document.querySelector("#map");
    const frames = [];
    box.focus();
    let last = performance.now();
    for (let n = 0; n < 40; n++) {
        if (n % 8 === 0) box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", keyCode: 39, bubbles: true }));
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - last);
        last = performance.now();
    }
    return frames;
}"""
"""How long each frame takes while the map is moved."""


def bench_map(findings: int = FINDINGS, loads_wanted: int = LOADS, opener: Callable[[], Any] | None = None) -> dict[str, Any]:
    """All numbers, each measured here and now; `goals_missed` names those that are not as good as they have to be.

    `opener` gives a browser's context; without it a browser is started for each load.

    Raises:
        MapRefused: no browser is here, or what drives it is missing.
    """
    with tempfile.TemporaryDirectory(prefix="ronde-bench-") as folder, _browsers(opener) as launch:
        url = f"sqlite:///{Path(folder) / 'town.db'}"
        stored = _fill(url, findings)
        loads, filters, frames = [], list[float](), list[float]()
        from sync.map.server import map_place, serving_map  # noqa: PLC0415 - a unit starts sooner without

        with serving_map(url, map_place(0)) as address:
            for number in range(loads_wanted):
                with closing(launch()) as browser:
                    page = _page(browser, address)
                    loads.append(page.evaluate(MARKS))
                    if number == loads_wanted - 1:
                        filters, frames = _filters(page), page.evaluate(MOVED)
    result = {
        "software": version("ronde"),
        "findings": stored,
        "window": f"{WINDOW['width']}x{WINDOW['height']}",
        "loads": len(loads),
        "first_paint_ms": _middle(loads, "first-contentful-paint"),
        "first_findings_ms": _middle(loads, "ronde-first-findings"),
        "all_findings_ms": _middle(loads, "ronde-loaded"),
        "slowest_load_ms": round(max(load["ronde-loaded"] for load in loads)),
        "filters": len(filters),
        "filter_ms": round(median(filters)),
        "slowest_filter_ms": round(max(filters)),
        "frame_while_moved_ms": round(median(frames), 1),
    }
    goals = {
        "first_paint": result["first_paint_ms"] < FIRST_MS,
        "first_findings": result["first_findings_ms"] < FIRST_MS,
        "filter": result["slowest_filter_ms"] < FILTER_MS,
    }
    return {**result, "goals_missed": [name for name, met in goals.items() if not met]}


def in_words(result: Mapping[str, Any]) -> str:
    """The result for a person."""
    rows = [
        ("first paint", f"{result['first_paint_ms']} ms", f"median of {result['loads']} loads; goal {FIRST_MS:g} ms"),
        ("first findings drawn", f"{result['first_findings_ms']} ms", f"goal {FIRST_MS:g} ms"),
        ("all of them drawn", f"{result['all_findings_ms']} ms", f"slowest load {result['slowest_load_ms']} ms"),
        (
            "a filter",
            f"{result['filter_ms']} ms",
            f"slowest of {result['filters']}: {result['slowest_filter_ms']} ms; goal {FILTER_MS:g} ms",
        ),
        ("a frame while it is moved", f"{result['frame_while_moved_ms']} ms", "median; 16.7 ms is the screen's own"),
    ]
    lines = [f"{result['findings']:,} findings in a window of {result['window']}"]
    lines += [f"  {name:<26}{value:>10}   {told}" for name, value, told in rows]
    missed = result["goals_missed"]
    return "\n".join([*lines, f"missed: {', '.join(missed)}" if missed else "all goals met"])


def run(args: argparse.Namespace) -> int:
    """The command: prints the result; 3 where a goal is missed."""
    result = bench_map()
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _fill(url: str, findings: int) -> int:
    with closing(open_store(url)) as store:
        for number, name in enumerate(UNITS):
            unit = Unit("cannes", name, Path("/nowhere"))
            share = findings * (number + 1) // len(UNITS) - findings * number // len(UNITS)
            began_at = BEGAN_AT + timedelta(hours=number)
            fill(store, rounds_of(unit, share, seed=number, began_at=began_at, rounds=ROUNDS))
            store.keep([connected(unit)])
    return findings


@contextmanager
def _browsers(opener: Callable[[], Any] | None) -> Iterator[Callable[[], Any]]:
    """Gives what opens a browser."""
    if opener is not None:
        yield opener
        return
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise MapRefused("bench map needs a browser: apt-get install chromium")
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError:
        raise MapRefused("bench map needs playwright, which drives the browser: pip install 'ronde[dev]'") from None
    with playwright.sync_playwright() as driver:
        yield lambda: driver.chromium.launch(executable_path=path, args=["--disable-gpu"])


def _page(browser: Any, address: str) -> Any:
    page = browser.new_page()
    page.set_viewport_size(WINDOW)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_function(LOADED)
    return page


def _filters(page: Any) -> list[float]:
    """Classes off and on again, a round, a time, everything."""
    rounds = page.evaluate("[...document.querySelectorAll('#round option')].map((each) => each.value)")
    chips = [(f".chip:nth-child({n})", None) for n in (1, 4, 6, 1, 4, 6)]
    choices = [("#round", rounds[1]), ("#round", rounds[-1]), ("#round", ""), ("#age", "365"), ("#age", "1"), ("#age", "")]
    return [float(page.evaluate(TIMED, list(each))) for each in [*chips, *choices][:FILTERS]]


def _middle(loads: list[dict[str, float]], name: str) -> int:
    return round(median(load[name] for load in loads))
