import re

import pytest

from sync.map.guard import Guard
from sync.map.options import MapRefused
from sync.map.server import map_place, serving_map

TOKEN = "a-long-word-that-nobody-guesses"


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "map.token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("path", ["/", "/api/findings", "/map.css", "/js/app.js", "/photos/x.jpg", "/nothing"])
def test_every_answer_says_that_no_other_host_has_a_part_in_it(town, path):
    headers = town.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_tiles_open_the_page_to_their_host_alone(serve):
    town = serve(tiles="https://tiles.example.org:8443/town/{z}/{x}/{y}.png", credit="the town")
    assert "img-src 'self' data: https://tiles.example.org:8443;" in town.ask("/").headers["content-security-policy"]
    assert town.ask("/api/about").json["tiles"]["credit"] == "the town"


@pytest.mark.parametrize(
    "tiles", ["tiles/{z}/{x}/{y}.png", "ftp://h/{z}/{x}/{y}", "https://h/{z}/{x}.png", "https://h;x/{z}{x}{y}"]
)
def test_tiles_that_are_none_are_refused(tiles):
    with pytest.raises(MapRefused, match="is no template"):
        map_place(0, tiles=tiles)


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:8640", "localhost.evil.org", "", "[", "127.0.0.1.evil.org"]
)
def test_a_foreign_name_does_not_lead_here(town, host):
    answer = town.ask("/api/findings", host=host)
    assert answer.status in (400, 421)
    assert b"FeatureCollection" not in answer.body


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "192.168.1.7:8640", "[::1]:8640"])
def test_addresses_lead_here(town, host):
    assert town.ask("/api/findings", host=host).status == 200


def test_a_name_that_was_given_leads_here(serve):
    town = serve(names=("map.example.org",))
    assert town.ask("/api/units", host="MAP.example.org:80").status == 200


def test_without_the_token_nothing_is_told(serve, token_file):
    town = serve(token_file=token_file)
    for path in ("/", "/api/findings", "/api/stream", "/words.json", "/?token=", "/?token=wrong", f"/?token={TOKEN}x"):
        assert town.ask(path).status == 401, path
    assert town.ask("/", cookie="ronde_map=wrong; a=b").status == 401
    assert town.ask("/", cookie='ronde_map="').status == 401
    assert town.ask("/", authorization="Bearer wrong").status == 401


def test_the_token_is_taken_once_and_a_cookie_given(serve, token_file):
    town = serve(token_file=token_file)
    answer = town.ask(f"/?lang=fr&token={TOKEN}")
    assert answer.status == 303
    assert answer.headers["location"] == "./?lang=fr"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert town.ask("/", cookie=cookie.split(";")[0]).status == 200


def test_programs_send_the_token_each_time(serve, token_file):
    town = serve(token_file=token_file)
    assert town.ask("/api/units", authorization=f"Bearer {TOKEN}").status == 200
    assert town.ask(f"/api/findings?limit=1&token={TOKEN}").status == 200
    town.publish()
    assert TOKEN not in town.ask(f"/api/findings?limit=1&token={TOKEN}").text


def test_another_token_makes_the_cookie_worthless():
    assert Guard("one" * 6, ()).cookie() != Guard("two" * 6, ()).cookie()


def test_the_token_stands_in_no_log(serve, token_file, caplog):
    town = serve(token_file=token_file)
    town.ask(f"/?token={TOKEN}")
    town.ask(f"/api/nothing?token={TOKEN}")
    assert TOKEN not in caplog.text


def test_others_are_let_in_with_a_token_alone(token_file):
    with pytest.raises(MapRefused, match="needs --map-token FILE"):
        map_place(0, host="0.0.0.0")
    assert map_place(0, host="0.0.0.0", token_file=token_file).token == TOKEN


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [("short", 0o600, "no word of at least 16"), ("two words here, long", 0o600, "no word"), (TOKEN, 0o644, "chmod 600")],
)
def test_a_token_that_is_no_secret_is_refused(tmp_path, text, mode, told):
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(MapRefused, match=told):
        map_place(0, token_file=file)


def test_a_token_that_is_not_there_is_said(tmp_path):
    with pytest.raises(MapRefused, match=re.escape(str(tmp_path / "none"))):
        map_place(0, token_file=tmp_path / "none")


def test_a_port_that_is_taken_is_said_in_a_sentence(town):
    port = int(town.address.rsplit(":", 1)[1].rstrip("/"))
    with (
        pytest.raises(MapRefused, match=f"port {port}: another program is there already"),
        serving_map(town.url, map_place(port)),
    ):
        pass


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(MapRefused, match="is no port"):
        map_place(port)
