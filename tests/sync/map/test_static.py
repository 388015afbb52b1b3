"""What the page is made of: its words in two languages, its shapes, and what is not ours in it."""

import hashlib
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from inference.labels import LABELS
from sync import reasons
from sync.map import pages

STATIC = Path(pages.__file__).parent / "static"
WORDS = json.loads((STATIC / "words.json").read_text(encoding="utf-8"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
HERE = "".join(file.read_text(encoding="utf-8") for file in [*SCRIPTS, STATIC / "index.html"])


def codes(kind):
    return {code for each in get_args(kind) for code in ((each,) if isinstance(each, str) else codes(each))}


def without_plural(key):
    return re.sub(r"_(one|other)$", "", key)


def test_both_languages_say_the_same_things():
    assert set(WORDS) == {"en", "fr"}
    assert list(WORDS["en"]) == list(WORDS["fr"])
    for key in WORDS["en"]:
        holes = [set(re.findall(r"\{(\w+)\}", WORDS[language][key])) - {"n"} for language in ("en", "fr")]
        assert holes[0] == holes[1], key


def test_french_is_set_as_french_is():
    for key, text in WORDS["fr"].items():
        assert not re.search(r"[ \u00a0][;!?%»]", text), f"{key}: a narrow space that does not break stands before ; ! ? %"
        assert not re.search(r"[ \u00a0]:", text), f"{key}: a space that does not break stands before a colon"
        assert "'" not in text, f"{key}: an apostrophe is the curly one"
        assert '"' not in text, f"{key}: quotation marks are « »"


def test_each_word_that_the_page_uses_is_there_and_no_other():
    used = set(re.findall(r'\bt\(\s*"(\w+)"', HERE)) | set(re.findall(r'data-words(?:-label)?="(\w+)"', HERE))
    there = {without_plural(key) for key in WORDS["en"]} | set(WORDS["en"])
    assert used <= there
    groups = ("reason_", "finding_", "visit_", "condition_", "severity_", "age_", "status_", "placed_", "grade_")
    named = used | set(re.findall(r'"(\w+)"', HERE))
    assert [key for key in WORDS["en"] if not key.startswith(groups) and without_plural(key) not in named] == []


def test_each_state_and_reason_of_a_unit_has_words():
    for language in WORDS:
        assert {key.removeprefix("reason_") for key in WORDS[language] if key.startswith("reason_")} == codes(reasons.Reason)
        told = {key.removeprefix("condition_") for key in WORDS[language] if key.startswith("condition_")}
        assert told == codes(reasons.State) | {"unknown"}


def test_each_class_has_a_shape_of_its_own_and_a_colour_that_all_can_see():
    text = (STATIC / "js" / "shapes.js").read_text(encoding="utf-8")
    table = text[text.index("export const SHAPES") : text.index("const UNKNOWN")]
    shapes = dict(re.findall(r"^  (\w+): \{ color: \w+, path: (.+) \},$", table, flags=re.MULTILINE))
    assert set(shapes) == {label.name for label in LABELS if label.kind != "hiding"}
    assert len(set(shapes.values())) == len(shapes)
    okabe_and_ito = {"#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}
    assert okabe_and_ito <= set(re.findall(r'"(#[0-9a-f]{6})"', text))


def test_what_is_not_ours_is_as_it_came():
    told = (STATIC / "VENDORED.md").read_text(encoding="utf-8")
    sums = dict(re.findall(r"`(vendor/[^`]+)` \| `([0-9a-f]{64})`", told))
    files = {str(file.relative_to(STATIC)) for file in (STATIC / "vendor").rglob("*") if file.is_file()}
    assert set(sums) == files
    for name, digest in sums.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    "file", [*SCRIPTS, STATIC / "index.html", STATIC / "map.css", STATIC / "finding.css"], ids=lambda file: file.name
)
def test_our_files_name_no_other_host_and_are_short(file):
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.", text)
    assert not re.search(r"innerHTML\s*=|document\.write|eval\(|\bon\w+=\"", text)
    assert len(text.splitlines()) <= (1000 if file.suffix == ".css" else 340)
