"""The page in a real Chromium. `look` fails a test whose page complained in its console or asked another host."""

import io
import re
import time
from contextlib import ExitStack

import pytest
from PIL import Image

from sync.map.sample import connected
from sync.map.server import map_place, serving_map

expect = pytest.importorskip("playwright.sync_api").expect
DEADLINE_S = 30.0
expect.set_options(timeout=DEADLINE_S * 1000)

WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((each) => !each.closest("#map, .unseen, .skip") && each.getBoundingClientRect().right > innerWidth + 1)
    .map((each) => each.outerHTML.slice(0, 120))"""
"""What reaches out of the window to the right."""
SMALL = """() => [...document.querySelectorAll("button, a.fit, summary")]
    .filter((each) => each.offsetHeight && each.offsetHeight < 24)
    .map((each) => each.outerHTML)"""
"""What a finger does not hit."""


STREET, POTHOLE = "#ffffff", "#d55e00"
COLOURS = {
    "crack_longitudinal": "#e69f00",
    "pothole": POTHOLE,
    "patch": "#cc79a7",
    "manhole": "#0072b2",
    "drain": "#56b4e9",
    "sign_danger": "#f0e442",
    "sign_prohibition": "#009e73",
}


def live(page):
    expect(page.locator("#status")).to_have_attribute("data-state", "live")


def drawn(page, least, none=None):
    """Waits until the map has at least so many pixels of each colour on the screen, and none of another."""
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        picture = Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB")
        counts = {f"#{red:02x}{green:02x}{blue:02x}": count for count, (red, green, blue) in picture.getcolors(1 << 24)}
        seen = {colour: counts.get(colour, 0) for colour in [*least, none]}
        if all(seen[colour] >= count for colour, count in least.items()) and not (none and seen[none]):
            return
        assert time.monotonic() < deadline_s, seen


def rows(page):
    return page.locator("#list button.row")


def label_counts(findings):
    labels = [each.data["properties"]["label"] for each in findings]
    return {label: labels.count(label) for label in labels}


def test_streets_and_findings_are_drawn(town, look):
    with look(town.address) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        labels = {event.data["properties"]["label"] for event in town.findings}
        colours = {COLOURS[label] for label in labels if label in COLOURS}
        assert len(colours) >= 4
        drawn(page, {STREET: 5000, **dict.fromkeys(colours, 20)})
        expect(page.locator(".totals")).to_contain_text(re.compile(r"30 findings · \d\.\d.km driven"))
        assert page.title() == "ronde"
        assert page.locator("html").get_attribute("lang") == "en"


def test_filters_leave_what_they_say(town, look):
    counts = label_counts(town.findings)
    with look(town.address) as page:
        live(page)
        chips = page.locator(".chip")
        expect(chips).to_have_count(len(counts))
        expect(page.locator(".chip", has_text="Pothole").locator("b")).to_have_text(str(counts["pothole"]))
        drawn(page, {POTHOLE: 100})
        page.locator(".chip", has_text="Pothole").click()
        expect(page.locator(".chip", has_text="Pothole")).to_have_attribute("aria-pressed", "false")
        expect(rows(page)).to_have_count(30 - counts["pothole"])
        expect(page.locator("#count-filters")).to_have_text("1 active")
        drawn(page, {STREET: 5000}, none=POTHOLE)
        page.locator("#age").select_option("7")
        expect(page.locator("#veil h2")).to_have_text("No finding passes these filters")
        page.locator("#veil button").click()
        expect(rows(page)).to_have_count(30)
        expect(page.locator("#veil")).to_be_hidden()


def test_a_round_is_chosen(town, look, later):
    town.publish(later)
    with look(town.address) as page:
        live(page)
        expect(page.locator("#round option")).to_have_text(
            ["All rounds", re.compile(r"4 May 2026, 10:\d\d · car-12 \(1\)"), re.compile(r"4 May 2026, 09:\d\d · car-07 \(30\)")]
        )
        page.locator("#round").select_option(index=1)
        expect(page.locator("#shown")).to_contain_text("1 of 31 findings")
        expect(page.locator("#count-findings")).to_have_text("1")


def test_a_finding_is_opened_with_its_picture(town, look):
    town.send_photo(town.findings[-1])
    with look(town.address) as page:
        live(page)
        rows(page).first.click()
        told = town.findings[-1].data["properties"]
        expect(page.locator("#finding")).to_be_focused()
        expect(page.locator("#finding dl")).to_contain_text(f"{round(told['score'] * 100)}%")
        expect(page.locator("#finding dl")).to_contain_text("95% sure")
        expect(page.locator("#finding .history li")).to_have_count(2)
        assert page.locator("img.photo").evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
        page.locator("#finding .next").click()
        expect(page.locator("#finding .no-photo")).to_be_visible()
        page.locator("#finding .back").click()
        expect(page.locator("#findings")).to_be_visible()


def test_what_comes_while_the_page_is_open_is_shown_at_once(town, look, later):
    with look(town.address) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        town.publish(later)
        expect(page.locator(".totals")).to_contain_text("31 findings")
        expect(page.locator("#herald")).to_contain_text("New: ")
        page.locator("a.fit").click()
        expect(rows(page)).to_have_count(31)
        expect(rows(page).first).to_have_class("row fresh")
        rows(page).first.click()
        expect(page.locator("#finding .no-photo")).to_be_visible()
        town.send_photo(later)
        expect(page.locator("#finding img.photo")).to_be_visible()


def test_an_empty_map_fills_without_being_loaded_again(serve, look, found):
    town = serve()
    with look(town.address) as page:
        live(page)
        expect(page.locator("#veil h2")).to_have_text("Nothing found yet")
        page.locator("#tab-units").click()
        expect(page.locator("#fleet")).to_contain_text("No unit has reported yet.")
        town.publish(*found)
        town.store.keep([connected(town.car)])
        expect(page.locator("#veil")).to_be_hidden()
        expect(page.locator("#count-findings")).to_have_text("30")
        expect(page.locator("#fleet li")).to_contain_text("car-07")
        page.locator("#tab-findings").click()
        expect(rows(page)).to_have_count(30)


def test_units_say_in_words_what_is_wrong(town, look):
    with look(town.address, language="fr-FR") as page:
        live(page)
        page.locator("#tab-units").click()
        other = page.locator("#fleet li.unit", has_text="car-12")
        expect(other.locator(".condition")).to_contain_text("En attente")
        expect(other.locator(".reasons li")).to_have_text(["pas de position satellite", "le disque est presque plein"])
        waiting = "212 événements attendent d\u2019être envoyés, le plus ancien depuis 31 minutes"
        expect(other.locator(".numbers")).to_contain_text(waiting)
        town.store.keep([connected(town.car, lost=True)])
        car = page.locator("#fleet li.unit", has_text="car-07")
        expect(car.locator(".connection")).to_have_text("Hors ligne")
        expect(page.locator("#count-units")).to_have_text("1/2")


def test_it_speaks_french(town, look):
    with look(town.address, language="fr-FR") as page:
        live(page)
        assert page.locator("html").get_attribute("lang") == "fr"
        expect(page.locator("#status")).to_have_text("En direct")
        expect(page.locator("#tab-findings")).to_contain_text("Constats")
        expect(page.locator(".chip").first).to_contain_text("Fissure longitudinale")
        expect(rows(page).first.locator("time")).to_have_text(re.compile(r"4 mai 2026, 09:\d\d"))
        expect(rows(page).first.locator(".score")).to_have_text(re.compile("\\d\\d[\u00a0\u202f]%"))
        page.locator("#language").click()
        expect(page.locator("#status")).to_have_text("Live")


@pytest.mark.parametrize("language", ["en-GB", "fr-FR"])
def test_a_phone_shows_all_of_it(town, look, language):
    with look(town.address, language=language, width=360, height=640, has_touch=True) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(WIDE) == []
        page.locator("#filters summary").click()
        assert page.evaluate(WIDE) == []
        rows(page).first.tap()
        expect(page.locator("#finding .back")).to_be_in_viewport()
        assert page.evaluate(WIDE) == []
        page.locator("#tab-units").tap()
        expect(page.locator("#fleet li").first).to_be_in_viewport()
        assert page.evaluate(WIDE) == []
        assert page.evaluate(SMALL) == []


def test_it_is_driven_by_keyboard(town, look):
    focused = "document.activeElement.id || document.activeElement.className"
    with look(town.address) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        page.keyboard.press("Tab")
        assert page.evaluate(focused) == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate(focused) == "findings"
        order = []
        for _ in range(60):
            page.keyboard.press("Tab")
            order.append(page.evaluate(focused))
            outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outlined != "none", order
            if order[-1] == "row":
                break
        assert [each for each in order if each != "chip"] == ["", "age", "round", "row"]
        page.keyboard.press("ArrowDown")
        page.keyboard.press("End")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        second = page.evaluate("document.activeElement.dataset.id")
        assert second == rows(page).nth(1).get_attribute("data-id")
        page.keyboard.press("Enter")
        expect(page.locator("#finding h2")).to_be_visible()
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.dataset.id") == second
        page.locator("#tab-findings").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#units")).to_be_visible()
        page.locator("#map").focus()
        centre = page.evaluate("document.querySelector('#map canvas').style.transform")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("before => document.querySelector('#map canvas').style.transform !== before", arg=centre)


def test_each_thing_has_a_name_for_who_cannot_see_it(town, look):
    with look(town.address) as page:
        live(page)
        row = rows(page).first.get_attribute("aria-label")
        assert re.fullmatch(r"[A-Z][\w -]+, 4 May 2026, \d\d:\d\d, confidence \d+%", row)
        nameless = """() => [...document.querySelectorAll("button, a, select, [role=img], summary, img")].filter((each) =>
            each.offsetParent && !(each.textContent.trim() || each.ariaLabel || each.title || each.closest("label")
            || each.getAttribute("alt") !== null)).map((each) => each.outerHTML)"""
        assert page.evaluate(nameless) == []


def test_things_at_one_place_are_listed(serve, look, found):
    town = serve()
    findings = [each for each in found if each.stream == "finding"][:4]
    for each in findings:
        each.data["geometry"]["coordinates"] = [7.0174, 43.5528]
    town.publish(*findings)
    with look(town.address) as page:
        live(page)
        box = page.locator("#map").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator(".tip")).to_have_text("4 findings")
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator("#shown")).to_have_text("4 findings at this place")
        rows(page).nth(1).click()
        page.keyboard.press("Escape")
        expect(page.locator("#shown")).to_have_text("4 findings at this place")
        page.locator("#leave").click()
        expect(page.locator("#shown")).to_have_text("4 findings")


def test_a_server_that_goes_away_is_said_and_waited_for(town, look, later, free_port):
    with ExitStack() as serving, look(f"http://127.0.0.1:{free_port}/", deaf=True, wait=False) as page:
        address = serving.enter_context(serving_map(town.url, map_place(free_port)))
        page.goto(address)
        live(page)
        expect(rows(page)).to_have_count(30)
        serving.close()
        expect(page.locator("#status")).to_have_text("No connection")
        expect(page.locator("#broken p")).to_have_text(re.compile(r"The server has not answered since \d\d:\d\d\."))
        expect(rows(page)).to_have_count(30)
        rows(page).first.click()
        page.keyboard.press("Escape")
        town.publish(later)
        serving.enter_context(serving_map(town.url, map_place(free_port)))
        page.locator("#broken button").dispatch_event("click")  # it may have come back by itself meanwhile
        live(page)
        expect(page.locator("#broken")).to_be_hidden()
        expect(page.locator(".totals")).to_contain_text("31 findings")


def test_a_page_that_cannot_load_says_so_and_tries_again(town, look):
    with look(town.address, deaf=True, wait=False) as page:
        page.route("**/api/findings*", lambda route: route.abort())
        page.goto(town.address)
        expect(page.locator("#veil h2")).to_have_text("The server does not answer")
        page.unroute("**/api/findings*")
        live(page)
        expect(rows(page)).to_have_count(30)


def test_it_is_opened_once_with_the_token(serve, look, tmp_path):
    token = tmp_path / "token"
    token.write_text("a-long-word-that-nobody-guesses", encoding="utf-8")
    token.chmod(0o600)
    town = serve(token_file=token)
    with look(f"{town.address}?token=a-long-word-that-nobody-guesses") as page:
        live(page)
        assert page.url == town.address
        page.reload()
        live(page)


def test_tiles_of_a_town_lie_below(serve, look, found, free_port):
    town = serve(tiles=f"http://127.0.0.1:{free_port}/{{z}}/{{x}}/{{y}}.png", credit="© the town <b>")
    town.publish(*found)
    with look(town.address, deaf=True, allowed=f"127.0.0.1:{free_port}") as page:
        live(page)
        expect(page.locator(".leaflet-control-attribution")).to_have_text("© the town <b>")
        with page.expect_request(re.compile(rf":{free_port}/\d+/\d+/\d+\.png$")):
            page.locator(".leaflet-control-zoom-in").click()
