"""The page where rounds were joined into things: one thing once, what each round made of it, and what a person says of it."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image

from sync.event import Event, event_id, iso

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)
LEGEND_PX = 800
"""The legend's own swatches have fewer."""


def live(page):
    expect(page.locator("#status")).to_have_attribute("data-state", "live")


def rows(page):
    return page.locator("#list button.row")


def test_a_thing_of_two_rounds_is_shown_once_with_both_in_its_history(joined_town, look):
    with look(joined_town.address) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        expect(page.locator(".totals")).to_contain_text("30 findings")
        page.locator("#state").select_option("new")
        expect(rows(page)).to_have_count(2)
        expect(rows(page).first.locator(".state")).to_have_text("new")
        expect(rows(page).first.locator(".what")).to_have_text("Pothole")
        page.locator("#state").select_option("seen_again")
        expect(rows(page)).to_have_count(28)
        rows(page).first.click()
        expect(page.locator("#finding dl")).to_contain_text("seen in 2 rounds")
        expect(page.locator("#finding dl")).to_contain_text("First seen")
        expect(page.locator("#finding .history li")).to_have_text(
            [re.compile("^seen again11 May 2026"), re.compile("^new4 May 2026")]
        )


def test_a_round_shows_what_it_saw_and_what_it_passed(joined_town, look):
    with look(joined_town.address) as page:
        live(page)
        expect(page.locator("#round option")).to_have_count(3)
        page.locator("#round").select_option(index=1)
        expect(page.locator("#count-filters")).to_have_text("1 active")
        expect(rows(page)).to_have_count(30)
        expect(page.locator("#shown")).to_contain_text("30 findings")


def test_what_a_driver_marked_stays_with_its_note_after_its_round_is_joined(serve, found, join_now, look):
    served = serve()
    hazard = next(each for each in found if each.stream == "finding")
    hazard.data["properties"] |= {"label": "hazard", "note": "un arbre sur la route"}
    served.publish(*found)
    join_now(served)
    with look(served.address) as page:
        live(page)
        expect(rows(page)).to_have_count(30)
        page.locator("#list button.row", has_text="Hazard").click()
        expect(page.locator("#finding")).to_contain_text("un arbre sur la route")


def test_what_a_person_says_stays(joined_town, look):
    with look(joined_town.address) as page:
        live(page)
        rows(page).first.click()
        page.locator(".judging button", has_text="Reject").click()
        page.locator(".judging input[name=by]").fill("A. Martin")
        page.locator(".judging input[name=note]").fill("a shadow")
        page.locator(".judging button[type=submit]").click()
        expect(page.locator("#finding h2 .state")).to_have_text("rejected")
        expect(page.locator(".judging")).to_contain_text(re.compile("Rejected by A. Martin, .* “a shadow”"))
        page.reload()
        live(page)
        expect(rows(page).first.locator(".state")).to_have_text("rejected")
        rows(page).first.click()
        page.locator(".judging button", has_text="Take back").click()
        expect(page.locator(".judging input[name=by]")).to_have_value("A. Martin")
        page.keyboard.press("Enter")
        expect(page.locator("#finding h2 .state")).to_have_text("seen again")


def test_a_finding_becomes_a_thing_while_the_page_is_open(joined_town, later, look, join_now):
    with look(joined_town.address) as page:
        live(page)
        joined_town.publish(later)
        expect(page.locator(".totals")).to_contain_text("31 findings")
        page.locator("a.fit").click()
        page.locator("#list button.fresh").click()
        expect(page.locator("#finding .judging")).to_have_count(0)
        join_now(joined_town)
        expect(page.locator("#finding .judging")).to_be_visible()
        expect(page.locator("#finding h2 .state")).to_have_text("new")
        expect(page.locator(".totals")).to_contain_text("31 findings")


STREET = {"type": "LineString", "coordinates": [[7.0174, 43.5528], [7.02112, 43.5528]]}


def driven(unit, at):
    told = {
        "round_id": "01234567-1",
        "from": iso(at),
        "to": iso(at),
        "length_m": 100.0,
        "frames": 25,
        "gaps": [],
        "filled_m": 0.0,
    }
    data = {"type": "Feature", "geometry": STREET, "properties": told}
    return Event(unit, "track", event_id(unit, "track", "01234567-1", 1), at, data)


def graded(unit, round_id, at, grade, reasons):
    """What a unit says of a street of 300 m that leads east, wider than the card in the middle."""
    told = {
        "from_m": 0.0,
        "to_m": 100.0,
        "grade": grade,
        "low": 4.2,
        "high": 4.9,
        "coverage": 0.93,
        "cells": 23,
        "reasons": reasons,
    }
    feature = {"type": "Feature", "geometry": STREET, "properties": told | {"round_id": round_id}}
    data = {"type": "FeatureCollection", "features": [feature]}
    return Event(unit, "grade", event_id(unit, "grade", round_id, 1), at, data)


def test_a_street_has_the_colour_of_its_latest_grade(serve, look):
    town = serve()
    with look(town.address) as page:
        live(page)
        expect(page.locator(".legend")).to_have_count(0)
        town.publish(driven(town.car, town.began_at))
        expect(page.locator("#veil h2")).to_have_text("Driven, and nothing found")
        for round_id, grade, colour, words in (
            ("01234567-1", 4.6, "#b2182b", "4.6 of 5 (4.2 to 4.9) · 93% of it could be judged"),
            ("01234567-2", 1.2, "#2166ac", "1.2 of 5"),
            ("01234567-3", None, "#98a3a9", "not graded · the road is wet"),
        ):
            town.publish(graded(town.car, round_id, town.began_at, grade, {} if grade else {"wet": 21}))
            expect(page.locator(".legend")).to_contain_text("very good")
            shown(page, colour)
            page.mouse.move(0, 0)
            page.mouse.move(*first(page, colour))
            expect(page.locator(".tip")).to_contain_text(words)


def pixels(page, colour):
    picture = Image.open(io.BytesIO(page.screenshot(clip=page.locator("#map").bounding_box()))).convert("RGB")
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return np.argwhere((np.asarray(picture) == wanted).all(axis=2))


def shown(page, colour):
    """Waits until a street has this colour, not the legend alone."""
    deadline_s = time.monotonic() + 30.0
    while len(pixels(page, colour)) < LEGEND_PX:
        assert time.monotonic() < deadline_s, colour


def first(page, colour):
    """The leftmost point of the street in this colour, a little inside: the card about the empty map does not lie on it."""
    box = page.locator("#map").bounding_box()
    found = pixels(page, colour)
    row, column = np.median(found[found[:, 1] < found[:, 1].min() + 12], axis=0)
    return box["x"] + column + 4, box["y"] + row
