"""What the panel says: in two languages, of each state and reason, as French is set."""

import re
from typing import get_args

import pytest

from sync import reasons
from sync.panel.trouble import BLINKS, part_of
from sync.panel.words import STATIC, ago, all_words, language, number, reason_words

WORDS = all_words()


def codes(kind):
    return {code for each in get_args(kind) for code in ((each,) if isinstance(each, str) else codes(each))}


def test_each_reason_and_each_state_has_words():
    for words in WORDS.values():
        assert {key.removeprefix("reason_") for key in words if key.startswith("reason_")} == codes(reasons.Reason)
        assert {key.removeprefix("state_") for key in words if key.startswith("state_")} == codes(reasons.State) | {"unknown"}
        assert {key.removeprefix("advice_") for key in words if key.startswith("advice_")} == set(BLINKS)


def test_both_languages_say_the_same_things():
    assert set(WORDS) == {"fr", "en"}
    assert list(WORDS["fr"]) == list(WORDS["en"])
    for key, text in WORDS["fr"].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", WORDS["en"][key])), key


def test_french_is_set_as_french_is():
    for key, text in WORDS["fr"].items():
        if key != "unknown":
            assert not re.search(r"(^|[ \u00a0\w])[;!?%]", text), f"{key}: a narrow space stands before ; ! ? %"
        assert not re.search(r"[ \w]:", text), f"{key}: a space that does not break stands before a colon"
        assert "'" not in text, f"{key}: an apostrophe is the curly one"


def test_no_two_reasons_sound_alike():
    for words in WORDS.values():
        said = [text for key, text in words.items() if key.startswith("reason_")]
        assert len(set(said)) == len(said)


def test_each_part_blinks_as_often_as_no_other():
    assert len(set(BLINKS.values())) == len(BLINKS)
    assert {part_of(code) for code in codes(reasons.Reason)} == set(BLINKS)
    assert [part_of(each) for each in ("no_fix", "camera_stalled", "disk_full", "certificate_expired", "capture_silent")] == [
        "gps",
        "camera",
        "card",
        "link",
        "box",
    ]


@pytest.mark.parametrize(
    ("accepted", "chosen", "spoken"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", None, "fr"),
        ("en-GB,en;q=0.9", None, "en"),
        ("de-DE,en;q=0.7,fr;q=0.8", None, "fr"),
        ("it", None, "fr"),
        ("", None, "fr"),
        ("en;q=0, fr;q=x", None, "fr"),
        ("fr", "en", "en"),
        ("en", "<script>", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(accepted, chosen, spoken):
    assert language(accepted, chosen) == spoken


def test_numbers_and_times_are_written_as_the_language_does():
    assert number(1234.56, WORDS["fr"], 1) == "1\u202f234,6"
    assert number(1234.56, WORDS["en"], 1) == "1,234.6"
    assert number(None, WORDS["en"]) == "?"
    assert [ago(each, WORDS["en"]) for each in (None, -5, 59, 60, 7200, 200_000)] == [
        "none yet",
        "now",
        "now",
        "1 min ago",
        "2 h ago",
        "2 d ago",
    ]
    assert reason_words("new_in_a_later_version", WORDS["fr"]) == "cause inconnue (new_in_a_later_version)"


@pytest.mark.parametrize("file", sorted(STATIC.glob("panel.*")), ids=lambda file: file.name)
def test_our_files_name_no_other_host(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?:|innerHTML|document\.write|eval\(", text)
