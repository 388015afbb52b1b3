"""The map over a real PostgreSQL with PostGIS: it says what it says over SQLite, in Chromium too, and GDAL reads it."""

import json
import shutil
import subprocess
import urllib.request
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from provisioning.settings import Unit
from sync.map.sample import connected, fill, health_of, rounds_of, utc
from sync.map.server import map_place, serving_map
from sync.receiver.databases import open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins

BEGAN_AT = utc("2026-05-04T07:00:00")
CAR = Unit("cannes", "car-07", Path("/nowhere"))
FINDINGS = 40
QUESTIONS = (
    "api/findings?limit=1000",
    "api/findings?bbox=7.00,43.54,7.0174,43.57&label=pothole,manhole",
    "api/findings?limit=7",
    "api/tracks",
    "api/grades",
    "api/rounds",
    "api/things",
    "api/things?state=new&label=pothole",
)


def filled(url):
    """A town with a round that is joined, another that is not, and a unit that records."""
    with closing(open_store(url)) as store, closing(Joiner(partial(open_joins, url), quiet_s=0.0)) as joiner:
        events = list(rounds_of(CAR, 2 * FINDINGS, began_at=BEGAN_AT, rounds=2))
        fill(store, [each for each in events if each.time < BEGAN_AT + timedelta(days=1)])
        while joiner.step() is Outcome.JOINED:
            pass
        fill(store, [each for each in events if each.time >= BEGAN_AT + timedelta(days=1)])
        store.keep([connected(CAR)])
        fill(store, [health_of(CAR, BEGAN_AT)])
    return url


def answers(address):
    return {question: json.loads(urllib.request.urlopen(address + question, timeout=30).read()) for question in QUESTIONS}


def test_both_databases_say_the_same(postgres, tmp_path):
    said = []
    for url in (f"sqlite:///{tmp_path / 'town.db'}", postgres.url):
        with serving_map(filled(url), map_place(0)) as address:
            said.append(answers(address))
    for question in QUESTIONS:
        assert said[0][question] == said[1][question], question
    assert len(said[1][QUESTIONS[0]]["features"]) == 2 * FINDINGS
    assert 0 < len(said[1][QUESTIONS[1]]["features"]) < FINDINGS
    assert len(said[1]["api/things"]["features"]) == FINDINGS


def test_the_page_shows_it_and_a_person_judges(postgres, look):
    expect = pytest.importorskip("playwright.sync_api").expect
    expect.set_options(timeout=30_000)
    with serving_map(filled(postgres.url), map_place(0)) as address, look(address) as page:
        expect(page.locator("#status")).to_have_attribute("data-state", "live")
        expect(page.locator(".totals")).to_contain_text(f"{2 * FINDINGS} findings")
        page.locator("#state").select_option("new")
        expect(page.locator("#list button.row")).to_have_count(FINDINGS)
        page.locator("#list button.row").first.click()
        page.locator(".judging button", has_text="Confirm").click()
        page.locator(".judging input[name=by]").fill("A. Martin")
        page.locator(".judging button[type=submit]").click()
        expect(page.locator(".judging")).to_contain_text("Confirmed by A. Martin")
    assert postgres.ask('SELECT judgement, "by" FROM judgement') == [("confirmed", "A. Martin")]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_gdal_reads_what_the_map_answers(kind, request, tmp_path):
    url = f"sqlite:///{tmp_path / 'town.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").url
    read = by_ogrinfo if shutil.which("ogrinfo") else by_pyogrio
    with serving_map(filled(url), map_place(0)) as address:
        assert read(f"{address}api/findings?limit=1000") == (2 * FINDINGS, "Point")
        assert read(f"{address}api/things") == (FINDINGS, "Point")
        assert read(f"{address}api/tracks")[1] == "LineString"


def by_ogrinfo(url):
    told = subprocess.run(["ogrinfo", "-ro", "-al", "-so", url], capture_output=True, text=True, check=True, timeout=60)
    assert "ERROR" not in told.stdout + told.stderr
    values = dict(line.split(": ", 1) for line in told.stdout.splitlines() if ": " in line)
    return int(values["Feature Count"]), values["Geometry"].replace(" ", "")


def by_pyogrio(url):
    pyogrio = pytest.importorskip("pyogrio")
    info = pyogrio.read_info(url, force_feature_count=True)
    return info["features"], info["geometry_type"]
