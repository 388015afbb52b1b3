"""What goes over links that cost money: counted, remembered, and held against the budget."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from provisioning.budget import Budget
from provisioning.settings import Unit, settings_of
from provisioning.table import SettingsError
from sync.budget import LOOK_S, Meter, Spent, count_metered, spent, told_of_spending
from sync.database import open_database, transaction
from sync.delivery import deliver_once
from sync.health import put_health
from sync.link import Link
from sync.outbox import Outbox
from sync.rows import insert

MB = 1_000_000
HERE = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


@pytest.fixture
def db(tmp_path):
    opened = open_database(tmp_path / "ronde.db")
    yield opened
    opened.close()


def meter(link, **budget):
    clock = [0.0]
    made = Meter(Budget(**budget), ask=lambda: link[0], clock=lambda: clock[0])
    return made, clock


@pytest.mark.parametrize(
    ("budget", "link", "metered"),
    [
        ({}, Link(None), False),
        ({}, Link(True), True),
        ({}, Link(False), False),
        ({}, Link(True, "depot"), True),
        ({"free_wifi": ("depot",)}, Link(True, "depot"), False),
        ({"free_wifi": ("depot",)}, Link(True, "cafe"), True),
        ({"metered": "always"}, Link(None), True),
        ({"metered": "always", "free_wifi": ("depot",)}, Link(False, "depot"), False),
        ({"metered": "never"}, Link(True), False),
    ],
)
def test_whether_a_link_costs_money(budget, link, metered):
    assert meter([link], **budget)[0].metered() is metered


def test_pictures_wait_when_the_day_or_the_month_is_used_up_and_go_when_the_link_is_free(db):
    link = [Link(True)]
    made, clock = meter(link, day_mb=2, month_mb=3)
    assert made.pictures_wait()  # nothing is known yet
    made.look(db)
    assert not made.pictures_wait()
    made.spend(2 * MB)
    assert made.pictures_wait()
    link[0] = Link(False)
    clock[0] += LOOK_S
    made.look(db)
    assert not made.pictures_wait()
    assert spent(db, datetime.now(timezone.utc)) == Spent(0, 0)  # what was spent counts once it is booked


def test_counters_are_of_the_day_and_of_the_month_and_survive(tmp_path):
    with closing(open_database(tmp_path / "ronde.db")) as db, transaction(db):
        for day, bytes_ in (("2026-05-04", 5), ("2026-05-03", 7), ("2026-04-30", 11)):
            db.conn.execute("INSERT INTO setting (key, value) VALUES (?, ?)", [f"metered/{day}", bytes_])
        count_metered(db, 0)
        count_metered(db, 13)
    with closing(open_database(tmp_path / "ronde.db")) as db:
        assert spent(db, HERE) == Spent(5, 12)
        assert spent(db, datetime.now(timezone.utc)).day == 13


def test_health_tells_what_a_kilometre_costs(db, tmp_path):
    now = datetime.now(timezone.utc)
    with transaction(db):
        insert(db, "round", id="aaaaaaaa-1", software="", models="{}", settings="{}")
        insert(
            db, "track", round_id="aaaaaaaa-1", n=0, from_m=0.0, to_m=4000.0, points="[]", frames=1, filled_m=0.0,
            to_at=f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
        )  # fmt: skip
        count_metered(db, 2 * MB)
    made, _ = meter([Link(True)], cost_per_mb=0.5, day_mb=1)
    made.look(db)
    told = told_of_spending(db, now)["spending"]
    assert told == {
        "metered": True, "pictures_wait": True, "pictures": 0, "metered_day": 2 * MB, "metered_month": 2 * MB,
        "cost_per_km": 0.25, "currency": "EUR",
    }  # fmt: skip
    event = put_health(db, Unit("cannes", "car-07", tmp_path), ())
    assert event.data["spending"] == told


def test_the_link_is_asked_now_and_then_and_never_where_nobody_needs_it(db):
    asked = []

    def ask():
        asked.append(1)
        return Link(True)

    clock = [0.0]
    made = Meter(Budget(), ask=ask, clock=lambda: clock[0])
    for _ in range(10):
        clock[0] += LOOK_S / 5
        made.look(db)
    assert len(asked) in (3, 4)
    Meter(Budget(metered="never"), ask=ask).look(db, at_once=True)
    assert len(asked) in (3, 4)


def test_once_ends_at_once_with_the_reason_where_only_pictures_wait(car, town, finding_event):
    backend = replace(car.backend, streams=("finding", "evidence"))
    car.settings = replace(car.settings, backends=(backend,), budget=Budget(metered="always", day_mb=0))
    car.put(1, 3)
    with closing(open_database(car.file)) as db, transaction(db):
        event = finding_event(car.unit, 9)
        Outbox(db).put(replace(event, stream="evidence", id="picture", picture=b"\xff\xd8" + bytes(99)), (backend,))
    with town.open():
        delivered = deliver_once(car.settings, stop=threading.Event())
    [each] = delivered.backends
    assert (each.delivered, each.left) == (3, 1)
    assert "[budget] is used up" in each.reason
    with closing(open_database(car.file)) as db:
        assert spent(db, datetime.now(timezone.utc)).day > 500


def test_the_settings_are_read_and_refused_with_their_place(tmp_path):
    unit = {"unit": {"fleet": "cannes", "name": "car-07"}}
    table = {"metered": "always", "free_wifi": ["depot", "Ville de Cannes"], "day_mb": 5, "cost_per_mb": 0.02, "currency": "CHF"}
    budget = settings_of({**unit, "budget": table}, tmp_path / "ronde.toml").budget
    assert budget == Budget("always", ("depot", "Ville de Cannes"), 5, 1000, 0.02, "CHF")
    assert settings_of(unit, tmp_path / "ronde.toml").budget == Budget()
    for key, wrong in (("metered", "maybe"), ("free_wifi", "depot"), ("free_wifi", [""]), ("day_mb", -1), ("currency", "€")):
        with pytest.raises(SettingsError, match=rf"\[budget\] {key} "):
            settings_of({**unit, "budget": {key: wrong}}, tmp_path / "ronde.toml")
