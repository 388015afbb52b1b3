"""What the map answers about things, and that only its own page, or a program with the token, may judge."""

import json
from contextlib import closing
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlsplit

import pytest

from sync.map.guard import COOKIE
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins

SAID = {"judgement": "rejected", "by": "a.martin", "note": "a shadow"}


def join(town):
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    with closing(Joiner(lambda: open_joins(town.url), now=lambda: later)) as joiner:
        while joiner.step() is Outcome.JOINED:
            pass


def say(town, thing, body=SAID, **headers):
    with closing(town.connection()) as line:
        headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        line.request("POST", f"/api/things/{thing}/judgement", body if isinstance(body, bytes) else json.dumps(body), headers)
        answer = line.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def joined(town):
    join(town)
    return town


def test_things_come_as_geojson_page_by_page(joined):
    whole = joined.ask("/api/things").json
    assert len(whole["features"]) == 30
    (first, *_) = whole["features"]
    assert first["geometry"]["type"] == "Point"
    assert first["properties"]["state"] == "new"
    assert first["properties"]["unit"] == "cannes/car-07"
    seen, path = [], "?limit=7"
    while path:
        page = joined.ask(f"/api/things{path}").json
        seen += page["features"]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert seen == whole["features"]


def test_things_are_chosen_by_place_label_state_and_round(joined):
    every = joined.ask("/api/things").json["features"]
    longitude, latitude = every[0]["geometry"]["coordinates"]
    near = joined.ask(
        f"/api/things?bbox={longitude - 1e-5:.7f},{latitude - 1e-5:.7f},{longitude + 1e-5:.7f},{latitude + 1e-5:.7f}"
    ).json
    assert [each["id"] for each in near["features"]] == [every[0]["id"]]
    label = every[0]["properties"]["label"]
    assert {each["properties"]["label"] for each in joined.ask(f"/api/things?label={label}").json["features"]} == {label}
    assert joined.ask("/api/things?state=gone,repaired").json["features"] == []
    round_id = joined.findings[0].data["properties"]["round_id"]
    told = joined.ask(f"/api/things?round={round_id}&state=new").json["features"]
    assert len(told) == 30
    assert {each["properties"]["in_round"] for each in told} == {"new"}
    assert joined.ask("/api/things?round=elsewhere").json["features"] == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("state=lost", "state is one or several of new"),
        ("judgement=maybe", "judgement is one or several of confirmed, rejected, none"),
        ("round=a&round=b", "round is one name here"),
        ("colour=red", "there is no parameter"),
        ("bbox=1,2,3", "bbox is"),
    ],
)
def test_what_is_not_understood_is_said(town, path, sentence):
    answer = town.ask(f"/api/things?{path}")
    assert answer.status == 400
    assert sentence in answer.text


def test_one_thing_has_its_history_and_its_picture(joined):
    thing = joined.ask("/api/things?limit=1").json["features"][0]
    finding = next(each for each in joined.findings if each.data["properties"]["finding_id"] == thing["properties"]["finding_id"])
    jpeg = joined.send_photo(finding)
    told = joined.ask(f"/api/things/{thing['id']}").json
    (visit,) = told["properties"]["history"]
    assert (visit["state"], visit["round_id"]) == ("new", finding.data["properties"]["round_id"])
    assert visit["coordinates"] == finding.data["geometry"]["coordinates"]
    assert told["properties"]["judgements"] == []
    for photo in (visit["photo"], told["properties"]["photo"]):
        assert joined.ask(f"/{photo}").body == jpeg
    assert joined.ask("/api/things/none").status == 404


def test_a_judgement_is_kept_and_stands_in_the_thing(joined):
    thing = joined.ask("/api/things?limit=1").json["features"][0]["id"]
    status, told = say(joined, thing)
    assert status == 200
    assert json.loads(told).items() >= SAID.items()
    properties = joined.ask(f"/api/things/{thing}").json["properties"]
    assert (properties["judgement"], properties["judged_by"], properties["note"]) == ("rejected", "a.martin", "a shadow")
    assert properties["judgements"] == [json.loads(told)]
    assert len(joined.ask("/api/things?judgement=none").json["features"]) == 29
    assert say(joined, thing, {"judgement": None, "by": "b.blanc"})[0] == 200
    assert joined.ask(f"/api/things/{thing}").json["properties"]["judgement"] is None
    assert say(joined, "none")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b"{}",
        b"[" * 4000,
        b'"' + b"x" * 5000,
        {"judgement": "maybe", "by": "a"},
        {"judgement": ["rejected"], "by": "a"},
        {"judgement": "rejected"},
        {"judgement": "rejected", "by": ""},
        {"judgement": "rejected", "by": "  "},
        {"judgement": "rejected", "by": "a\x00b"},
        {"judgement": "rejected", "by": "x" * 101},
        {"judgement": "rejected", "by": "a", "note": "x" * 501},
        {"judgement": "rejected", "by": "a", "state": "gone"},
    ],
)
def test_what_is_no_judgement_is_refused(town, body):
    status, told = say(town, "none", body)
    assert status == 400
    assert told


def test_a_page_of_another_place_may_not_judge(joined):
    thing = joined.ask("/api/things?limit=1").json["features"][0]["id"]
    own = urlsplit(joined.address).netloc
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": f"http://{own}0"},
        {"Origin": "http://[bad"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": f"http://{own}"},
        {"Host": "elsewhere.example"},
    ):
        assert say(joined, thing, **headers)[0] in (403, 421), headers
    assert say(joined, thing, Content_Type="text/plain")[0] == 400
    assert joined.ask(f"/api/things/{thing}").json["properties"]["judgements"] == []
    assert say(joined, thing, Origin=f"http://{own}", Sec_Fetch_Site="same-origin")[0] == 200


def test_with_a_token_nobody_judges_without_it(serve, found, tmp_path):
    file = tmp_path / "token"
    file.write_text("a-very-long-word-of-a-token")
    file.chmod(0o600)
    town = serve(token_file=file)
    town.publish(*found)
    join(town)
    thing = town.ask("/api/things?limit=1&token=a-very-long-word-of-a-token").json["features"][0]["id"]
    assert say(town, thing)[0] == 401
    assert say(town, thing, Authorization="Bearer wrong")[0] == 401
    assert say(town, thing, Authorization="Bearer a-very-long-word-of-a-token")[0] == 200
    cookie = town.ask("/?token=a-very-long-word-of-a-token").headers["set-cookie"].partition(";")[0]
    assert cookie.startswith(COOKIE)
    assert say(town, thing, Cookie=cookie)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/things", "/api/things/x", "/api/findings", "/api/things/x/judgement/y"])
def test_nothing_else_is_written(town, method, path):
    assert town.ask(path, method).status == 405
    assert town.ask("/api/things/x/judgement", method).status == (405 if method != "POST" else 400)


def test_a_thing_with_a_strange_name_is_none(town):
    assert town.ask(f"/api/things/{quote('../x', safe='')}").status == 404
    assert say(town, quote("a b/../c", safe=""))[0] in (404, 405)
