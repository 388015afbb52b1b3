"""What the panel answers: to its own page, to a foreign one, to a finger that does not stop, and when nothing works."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from sync.ballast import Ballast
from sync.failure import DatabaseFailed
from sync.panel.refusal import PanelRefused
from sync.request import hazards_waiting, put_request


@pytest.fixture
def panel(car, serve):
    car.tell("recording")
    return serve(car)


def form_of(page):
    """The word that the page's forms carry, and the cookie that came with it."""
    return {"token": re.search(r'name="token" value="([^"]+)"', page.text)[1]}, page.headers["set-cookie"].partition(";")[0]


def test_the_page_is_whole_without_a_script(panel):
    page = panel.ask("/", accept_language="fr-FR")
    assert page.status == 200
    assert page.headers["content-language"] == "fr"
    for text in ("Enregistre", 'content="5;url=/?lang=fr"', 'action="/pause"', 'action="/resume"', 'action="/hazard"', "English"):
        assert text in page.text
    assert "<img" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "same-origin"
    assert "SameSite=strict" in page.headers["set-cookie"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "0.0.0.0"])
def test_under_a_name_that_is_not_its_own_it_says_nothing(panel, host):
    answer = panel.ask("/", host=host)
    assert answer.status == 421
    assert "Recording" not in answer.text
    assert panel.press("pause", host=host, origin=f"http://{host}").status == 421
    assert panel.car.requests() == []


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "127.0.0.1:8080"])
def test_it_is_reached_by_its_own_names(panel, host):
    assert panel.ask("/", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": None, "sec_fetch_site": "cross-site"},
        {"origin": None, "sec_fetch_site": "same-site"},
        {"origin": None, "sec_fetch_site": "none"},
        {"origin": None},
        {"origin": None, "cookie": "ronde_panel=guessed", "form": {"token": "another"}},
        {"origin": None, "cookie": "ronde_panel=", "form": {"token": ""}},
        {"origin": None, "cookie": "\"'=;;", "form": {"token": "x"}},
    ],
)
def test_a_foreign_page_cannot_press_its_buttons(panel, headers):
    for what in ("pause", "resume", "hazard", "note"):
        answer = panel.press(what, **headers)
        assert answer.status == 403
        assert "another page" in answer.json["said"]
    assert panel.car.requests() == []
    assert panel.ask("/pause").status == 405


def test_a_browser_without_a_script_and_without_an_origin_can_press(panel):
    form, cookie = form_of(panel.ask("/"))
    answer = panel.press("hazard", origin=None, accept="text/html", cookie=cookie, form=form)
    assert answer.status == 303
    back = panel.ask(answer.headers["location"])
    assert "Hazard kept" in back.text
    assert 'http-equiv="refresh"' not in back.text, "it would take the note away while it is written"
    hazard = re.search(r'id="of" value="(\d+)"', back.text)[1]
    answer = panel.press(
        "note", origin=None, accept="text/html", cookie=cookie, form={**form, "hazard": hazard, "note": "<b>trou</b>"}
    )
    assert "The note is kept" in panel.ask(answer.headers["location"]).text
    assert panel.car.requests() == [("hazard", "<b>trou</b>")]


def test_what_a_link_wants_the_page_to_say_is_not_said(panel):
    page = panel.ask("/?said=%3Cscript%3E&reason=%3Cscript%3E&hazard=%3Cscript%3E&lang=%3Cscript%3E")
    assert "<script>" not in page.text
    assert panel.ask("/?said=not_done&reason=<script>").text.count("<script") == 1, "its own"


def test_each_press_is_a_request(panel):
    assert panel.press("pause").json == {"said": "Paused.", "hazard": None}
    assert panel.press("hazard").status == 409, "nothing is recorded, so nothing is kept"
    assert panel.press("resume").json["said"] == "Going on."
    with_note = panel.press("hazard", form={"note": "  glass\n on the road "})
    assert with_note.json["hazard"] is None, "all is said"
    assert panel.car.requests() == [("pause", None), ("resume", None), ("hazard", "glass on the road")]


def test_a_note_comes_late_or_not_at_all(panel):
    hazard = panel.press("hazard").json["hazard"]
    assert panel.press("note", form={"hazard": hazard, "note": "x" * 500}).status == 200
    assert panel.car.requests() == [("hazard", "x" * 200)]
    with panel.car.open() as db:
        db.conn.execute("UPDATE request SET taken_at = made_at")
    assert panel.press("note", form={"hazard": hazard, "note": "later"}).status == 409
    assert panel.press("note", form={"hazard": "1e9", "note": "later"}).status == 400
    assert panel.press("hazard", form={"note": "x" * 20_000}).status == 413
    assert panel.car.requests() == [("hazard", "x" * 200)]


def test_a_hundred_presses_a_second_are_few_requests(panel):
    def press(number):
        return panel.press(("pause", "hazard", "resume", "hazard")[number % 4]).status

    with ThreadPoolExecutor(20) as fingers:
        statuses = list(fingers.map(press, range(200)))
    assert set(statuses) <= {200, 409, 503}
    assert statuses.count(200) >= 50
    assert panel.ask("/").status == 200
    requests = [kind for kind, _ in panel.car.requests()]
    assert all(one != other or one == "hazard" for one, other in pairwise(requests))
    assert panel.press("pause").status == 200
    assert panel.press("pause").status == 200
    with panel.car.open() as db:
        assert db.conn.execute("SELECT kind FROM request WHERE kind != 'hazard' ORDER BY id DESC LIMIT 1").fetchone() == (
            "pause",
        )


def test_a_locked_database_is_said_and_a_press_is_not_lost_without_a_word(panel, monkeypatch):
    monkeypatch.setattr("sync.database.BUSY_S", 0.2)
    with panel.car.open() as other:
        other.conn.execute("BEGIN IMMEDIATE")
        answer = panel.press("pause")
        assert answer.status == 503
        assert answer.json["said"] == "It did not take: its memory is busy. Press again."
        assert panel.ask("/").status == 200
        other.conn.execute("ROLLBACK")
    assert panel.press("pause").status == 200
    assert panel.car.requests() == [("pause", None)]


def test_a_pause_has_a_last_place_on_a_full_disk(own_disk, serve):
    """Of the disk's last bytes the ballast is given away; where even that is gone, the page says that it did not take."""
    folder = own_disk.mount_point
    Ballast(folder).restore()
    panel = serve(SimpleNamespace(state=folder))
    assert panel.press("resume").status == 200
    filler = folder / "filler"
    fill_up(filler)
    assert panel.press("pause").status == 200
    assert not Ballast(folder).is_there()
    for kind in ("resume", "pause") * 100:
        fill_up(filler)
        answer = panel.press(kind)
        if answer.status != 200:
            break
    assert answer.json["said"] == "It did not take: the card is full. Press again."
    assert panel.ask("/").status == 200
    filler.unlink()
    assert panel.press("pause").status == 200


def fill_up(file):
    """Every block of the disk."""
    with suppress(OSError), file.open("ab", buffering=0) as out:
        while True:
            out.write(b"\0" * 4096)


def test_a_press_that_the_disk_refuses_is_said(car, serve, monkeypatch):
    def refused(*_):
        raise DatabaseFailed("disk_read_only", "no")

    monkeypatch.setattr("sync.panel.desk.put_request", refused)
    panel = serve(car)
    answer = panel.press("pause", form={"lang": "fr"})
    assert answer.status == 503
    assert "la carte ne s" in answer.json["said"]
    location = panel.press("pause", accept="text/html").headers["location"]
    assert "It did not take: the card can no longer be written" in panel.ask(location).text


def test_it_is_served_on_loopback_and_at_its_own_address_alone(car, serve, free_port):
    served = serve(car, address="10.42.0.1", port=free_port)
    assert served.ask("/").status == 200
    assert served.ask("/", host="10.42.0.1").status == 200
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.2", free_port))
    with closing(socket.socket()) as same, pytest.raises(OSError, match="in use"):
        same.bind(("127.0.0.1", free_port))
    with pytest.raises(PanelRefused, match="another program is there already"):
        serve(car, port=free_port)


def test_news_come_as_events_until_the_panel_ends(panel):
    with closing(socket.create_connection(("127.0.0.1", urlsplit(panel.address).port), timeout=20)) as line:
        line.sendall(b"GET /news?lang=fr HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        stream = line.makefile("rb")

        def texts():
            for row in stream:
                if row.startswith(b"data: "):
                    return json.loads(row[6:])
            return None

        first = texts()
        assert (first["state"], first["word"]) == ("recording", "Enregistre")
        panel.car.tell("waiting", "no_fix")
        told = texts()
        while told["state"] != "waiting":
            told = texts()
        assert told["why"] == "Attend le GPS."


def test_a_press_is_durable_before_it_is_answered(panel):
    panel.press("hazard", form={"note": "trou"})
    with panel.car.open() as db:
        (hazard,) = hazards_waiting(db)
        assert hazard.note == "trou"
        assert put_request(db, "hazard").id == hazard.id, "the same finger"
