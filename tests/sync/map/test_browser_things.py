"""The page where rounds were joined into things: one thing once, what each round made of it, and what a person says of it."""

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)


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
