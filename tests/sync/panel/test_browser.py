"""The page in a real Chromium, as wide as a phone and as a small screen: what a driver sees, and what a finger does."""

import http.server
import re
import threading
from contextlib import ExitStack, contextmanager
from typing import get_args

import pytest

from provisioning.settings import Panel, Settings, Unit
from sync import reasons
from sync.panel.server import serving_panel
from sync.panel.words import all_words
from sync.patrol_chain import check_csv

expect = pytest.importorskip("playwright.sync_api").expect
DEADLINE_S = 30.0
expect.set_options(timeout=DEADLINE_S * 1000)

PHONE, SCREEN = {"width": 360, "height": 740}, {"width": 1024, "height": 600}
STATES = (("recording", ()), ("waiting", ("no_fix",)), ("fault", ("camera_stalled", "disk_low")), ("paused", ()))
FR, EN = all_words()["fr"], all_words()["en"]
WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((each) => !each.closest("table") && each.getBoundingClientRect().right > innerWidth + 1).length"""
PLACES = (
    "() => [...document.querySelectorAll('.press')].map((each) => Object.values(each.getBoundingClientRect().toJSON()).join())"
)
SEEN = """() => [document.body.dataset.state, document.getElementById("word").textContent,
    [...document.querySelectorAll(".sign")].filter((each) => each.checkVisibility()).map((each) => each.classList[1])]"""
HIDDEN = "() => Math.max(0, document.getElementById('state').scrollHeight - document.getElementById('state').clientHeight)"
TALL = "() => [...document.querySelectorAll('.press button')].map((each) => each.offsetHeight)"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A look is taken more often, so that a test waits less; and what was told is believed for longer than a slow test takes."""
    monkeypatch.setattr("sync.panel.watch.LOOK_S", 0.1)
    monkeypatch.setattr("sync.panel.glance.SILENT_S", 300.0)


def codes(kind):
    return {code for each in get_args(kind) for code in ((each,) if isinstance(each, str) else codes(each))}


def shows(page, state):
    expect(page.locator("body")).to_have_attribute("data-state", state)


@pytest.mark.parametrize(("size", "language", "words"), [(PHONE, "fr-FR", FR), (SCREEN, "en-GB", EN)], ids=["360", "1024"])
def test_each_state_is_shown_with_each_reason_and_nothing_moves(car, serve, look, size, language, words):
    car.tell("recording")
    panel = serve(car)
    with look(panel.address, language=language, **size) as page:
        shows(page, "recording")
        expect(page.locator("#word")).to_have_text(words["state_recording"])
        assert page.locator("html").get_attribute("lang") == language[:2]
        places = page.evaluate(PLACES)
        assert min(page.evaluate(TALL)) >= 96, "a finger finds it without looking"
        assert page.locator("#word").evaluate("word => parseFloat(getComputedStyle(word).fontSize)") >= 44
        told = sorted(codes(reasons.Reason)) if size is PHONE else ["no_fix", "camera_stalled", "disk_full"]
        for number, reason in enumerate(told):
            state = ("waiting", "fault")[number % 2]
            car.tell(state, reason)
            sentence = words[f"reason_{reason}"]
            expect(page.locator("#why")).to_have_text(sentence[0].upper() + sentence[1:] + ".")
            assert page.evaluate(SEEN) == [state, words[f"state_{state}"], [state]], reason
            assert [page.evaluate(PLACES), page.evaluate(WIDE), page.evaluate(HIDDEN)] == [places, 0, 0], reason
        car.tell("paused")
        shows(page, "paused")
        assert words["state_paused"] in page.title()
        assert page.locator(".sign:visible").count() == 1, "colour is never the only sign"


@pytest.mark.parametrize(
    ("size", "scheme", "states"),
    [(PHONE, "light", STATES), (PHONE, "dark", STATES[:3]), (SCREEN, "light", STATES[2:3])],
    ids=["360", "night", "1024"],
)
def test_nothing_stands_in_anybodys_way(car, serve, look, barriers, size, scheme, states):
    car.drive(findings=("pothole", "hazard"))
    car.tell("recording")
    with look(serve(car).address, language="fr-FR", color_scheme=scheme, **size) as page:
        for state, why in states:
            car.tell(state, *why)
            shows(page, state)
            assert barriers(page) == []
        if scheme == "dark":
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
            return
        car.tell("recording")
        shows(page, "recording")
        page.locator("#press-hazard button").click()
        expect(page.locator("#note")).to_be_visible()
        assert barriers(page) == []
        page.goto(page.url.partition("?")[0] + "patrol")
        expect(page.locator("table").first).to_be_visible()
        assert barriers(page) == []


def test_pause_and_resume_by_the_keyboard_alone(car, serve, look):
    car.tell("recording")
    with look(serve(car).address, language="en-GB", **SCREEN) as page:
        shows(page, "recording")
        order = []
        for _ in range(4):
            page.keyboard.press("Tab")
            order.append(page.evaluate("document.activeElement.textContent.trim().split(' ')[0]"))
        assert order == ["Français", "Hazard", "Pause", "Resume"]
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_have_text("Paused.")
        expect(page.locator("#asked")).to_have_text("Pause asked for…")
        car.obey()
        car.tell("paused")
        shows(page, "paused")
        expect(page.locator("#why")).to_contain_text(re.compile(r"Since \d\d:\d\d"))
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.locator("#said")).to_have_text("Going on.")
    assert [kind for kind, _ in car.requests()] == ["pause", "resume"]


def test_a_hazard_takes_a_note_afterwards_or_none(car, serve, look, monkeypatch):
    monkeypatch.setattr("sync.request.ONE_PRESS_S", 0.0)
    car.tell("recording")
    with look(serve(car).address, language="fr-FR", has_touch=True, **PHONE) as page:
        page.locator("#press-hazard button").tap()
        expect(page.locator("#said")).to_have_text("Danger noté. Vous pouvez rouler.")
        assert car.requests() == [("hazard", None)], "the press counts, whatever is said later"
        page.get_by_label("Un mot").fill("<script>alert(1)</script> verre « cassé »")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_have_text("Le mot est gardé.")
        expect(page.locator("#note")).to_be_hidden()
        page.locator("#press-hazard button").tap()
        expect(page.locator("#note")).to_be_visible()
        page.locator("#no-note").tap()
        expect(page.locator("#answer")).to_be_hidden()
    assert car.requests()[0] == ("hazard", "<script>alert(1)</script> verre « cassé »")


def test_a_page_that_nobody_tells_anything_says_so(car, tmp_path, free_port, look):
    """The panel ends under it: no page goes on saying that it records."""
    car.tell("recording")
    settings = Settings(Unit("cannes", "car-07", tmp_path), panel=Panel(address="127.0.0.1", port=free_port))
    with ExitStack() as stack:
        address = stack.enter_context(serving_panel(settings))
        with look(address, language="fr-FR", deaf=True, **PHONE) as page:
            shows(page, "recording")
            stack.close()
            shows(page, "unknown")
            expect(page.locator("#why")).to_have_text(FR["no_line"])
            assert FR["state_unknown"] in page.title()
            page.locator("#press-pause button").click()
            expect(page.locator("#said")).to_have_text(FR["no_line"])
            with serving_panel(settings):
                car.tell("recording")
                shows(page, "recording")


def test_a_dead_capture_is_no_recording(car, serve, look):
    car.tell("recording", age_s=600.0)
    with look(serve(car).address, language="fr-FR", **PHONE) as page:
        shows(page, "fault")
        expect(page.locator("#why")).to_have_text("Il ne répond plus.")
        expect(page.locator("#advice")).to_contain_text(re.compile(r"C\u2019était ainsi il y a 6\d\d s\."))


def test_a_browser_without_a_script_sees_the_state_and_can_press(car, serve, look):
    car.tell("waiting", "no_fix")
    with look(serve(car).address, language="fr-FR", java_script_enabled=False, **PHONE) as page:
        expect(page.locator("#word")).to_have_text("En attente")
        assert page.locator("noscript meta, meta[http-equiv=refresh]").count() == 1
        page.locator("#press-hazard button").click()
        expect(page.locator("#said")).to_have_text("Danger noté. Vous pouvez rouler.")
        page.locator("#text").fill("trou")
        page.locator("#note button").click()
        expect(page.locator("#said")).to_have_text("Le mot est gardé.")
        car.tell("recording")
        expect(page.locator("#word")).to_have_text("Enregistre")  # it asks again by itself
    assert car.requests() == [("hazard", "trou")]


def test_an_old_browser_without_events_asks_again(car, serve, look):
    car.tell("waiting", "no_fix")
    address = serve(car).address
    with look(address, language="fr-FR", wait=False, **PHONE) as page:
        page.add_init_script("delete window.EventSource")
        page.goto(address)
        expect(page.locator("#word")).to_have_text("En attente")
        car.tell("recording")
        expect(page.locator("#word")).to_have_text("Enregistre")


@contextmanager
def foreign(html):
    """A page of another origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_foreign_page_cannot_press_and_cannot_look(car, serve, look):
    car.tell("recording")
    panel = serve(car)
    html = f"""<form id="f" method="post" action="{panel.address}pause"><input name="token" value="x"></form>
        <iframe src="{panel.address}"></iframe>
        <script>fetch("{panel.address}pause", {{method: "POST", mode: "no-cors"}}).catch(() => 0);
        fetch("{panel.address}").then((answer) => answer.text()).then((text) => (document.title = text)).catch(() => 0);
        setTimeout(() => document.getElementById("f").submit(), 300)</script>"""
    home = panel.address.split("/")[2]
    with foreign(html) as elsewhere, look(f"http://{elsewhere}/", allowed=home, deaf=True, wait=False) as page:
        page.goto(panel.address)  # its cookie is there
        page.goto(f"http://{elsewhere}/")
        expect(page.locator("body")).to_contain_text("pressed from another page")
        assert "Recording" not in page.title()
    assert car.requests() == []


def test_the_patrol_log_is_read_on_the_page_and_taken_away(car, serve, look):
    car.drive(findings=("pothole",))
    car.tell("recording")
    panel = serve(car)
    with look(panel.address, language="en-GB", **SCREEN) as page:
        page.get_by_text("The day\u2019s rounds").click()
        expect(page.locator("h1")).to_have_text("Patrol log")
        expect(page.locator("caption").first).to_have_text("Rounds")
        assert page.evaluate(WIDE) == 0
        with page.expect_download() as download:
            page.get_by_text("CSV").click()
        told = download.value.path().read_bytes().decode("utf-8-sig")
        assert check_csv(told).chain_sha256 == page.locator("code").text_content()
        page.get_by_text("Back").click()
        shows(page, "recording")
