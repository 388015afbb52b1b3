"""A driver with a phone, the whole line behind it: what is pressed in a real Chromium, what is recorded, what the town gets."""

import json
import threading
from contextlib import closing, contextmanager

import pytest

from provisioning.settings import Backend, Panel, Settings, Unit
from sync.database import open_database
from sync.delivery import run_sync
from sync.faults.ground import ground
from sync.faults.mosquitto import Mosquitto
from sync.faults.need import MOSQUITTO
from sync.faults.town import rows
from sync.panel.server import serving_panel
from sync.receiver import run_receiver
from sync.receiver.databases import open_atlas

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)

NOTE = "<img src=x onerror=alert(1)> arbre « couché »"


@contextmanager
def threaded(work, *args, **options):
    """A daemon in a thread, ended with the block; an error in it is raised."""
    stop, errors = threading.Event(), []

    def run():
        try:
            work(*args, stop=stop, **options)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


@pytest.fixture
def broker():
    if (missing := MOSQUITTO.missing()) is not None:
        pytest.skip(missing)
    with ground() as place:
        yield Mosquitto(place)


def test_what_a_driver_presses_is_what_is_recorded_and_what_the_town_gets(
    tmp_path, driving, query, until, chromium, broker, free_port
):
    state, town = tmp_path / "state", tmp_path / "town.db"
    state.mkdir()
    unit = Unit("cannes", "car-07", state)
    roads = Backend("roads", broker.url, broker.authority.ca, *broker.authority.issue("cannes/car-07", "car-07"))
    settings = Settings(unit, backends=(roads,), panel=Panel(address="127.0.0.1", port=free_port))
    certificate, key = broker.authority.issue("receiver", "receiver")
    papers = {"ca": broker.authority.ca, "cert": certificate, "key": key}
    open_database(state / "ronde.db").close()

    def frames():
        return [at_s for (at_s,) in query(state, "SELECT shutter_boot_s FROM frame WHERE latitude_deg IS NOT NULL")]

    with (
        threaded(run_receiver, broker.url, db_url=f"sqlite:///{town}", **papers),
        serving_panel(settings) as address,
        closing(chromium.new_context(locale="fr-FR", viewport={"width": 360, "height": 740})) as context,
    ):
        page = context.new_page()
        page.goto(address)
        with driving(state, (roads,)):
            expect(page.locator("#word")).to_have_text("Enregistre")
            until(lambda: len(frames()) >= 4)
            page.locator("#press-pause button").click()
            expect(page.locator("#word")).to_have_text("En pause")
            before = len(frames())
            page.locator("#press-resume button").click()
            expect(page.locator("#word")).to_have_text("Enregistre")
            until(lambda: len(frames()) >= before + 4)
            page.locator("#press-hazard button").click()
            page.get_by_label("Un mot").fill(NOTE)
            page.keyboard.press("Enter")
            expect(page.locator("#said")).to_have_text("Le mot est gardé.")
            until(lambda: query(state, "SELECT note FROM finding WHERE label = 'hazard'") == [(NOTE,)])
            with threaded(run_sync, settings):
                until(lambda: rows(town, "SELECT 1 FROM finding WHERE label = 'hazard'"))
        expect(page.locator("#contact")).to_have_text("à l\u2019instant")

    (pause_s,), (resume_s,) = query(state, "SELECT made_boot_s FROM request WHERE kind != 'hazard' ORDER BY id")
    assert pause_s < resume_s
    assert not [at_s for at_s in frames() if pause_s < at_s < resume_s]
    (first, second) = query(state, "SELECT started_at, ended_at FROM round ORDER BY rowid")
    tracks = query(state, "SELECT from_at, to_at FROM track")
    assert all(to_at <= first[1] or from_at >= second[0] for from_at, to_at in tracks), "no point of the track lies between"
    with closing(open_atlas(f"sqlite:///{town}")) as atlas:
        (seen,) = atlas.findings(labels=["hazard"])
    assert (seen.note, seen.score) == (NOTE, 1.0)
    (data,) = rows(town, "SELECT data FROM event WHERE data LIKE '%hazard%' AND type = 'ronde.finding.v1'")
    assert json.loads(data[0])["properties"]["note"] == NOTE
