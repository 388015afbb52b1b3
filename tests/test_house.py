"""What ronde says about itself is true: commands, settings and events are documented, links lead somewhere."""

import argparse
import ast
import dataclasses
import re
import sys
import typing
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from provisioning import settings as configured
from provisioning.settings import Settings, settings_of
from sync import reasons
from sync.arguments import build_parser
from sync.checks import PACKAGES, check_packages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parents[1]
MOST_LINES = 300
EVERYWHERE = {"--help", "--json", "--verbose", "--config"}
"""Options that docs/commands.md describes once for all commands."""
EVENT = re.compile(r"[a-z]+(_[a-z]+)+")
LEVELS = {"debug", "info", "warning", "error"}
LOGS_OWN = {"lines_left_out", "library_spoke"}
PLACE_ON_A_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")

SOURCES = sorted(file for package in PACKAGES for file in (PROJECT / package).rglob("*.py"))
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def text_of(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def commands():
    """The parser of each command, by its name."""
    (subparsers,) = (each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return subparsers.choices


def section(page, heading):
    """What stands below a heading of a page, up to the next of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", page, flags=re.DOTALL | re.MULTILINE)
    assert found, f"there is no heading {heading!r}"
    return found[1]


@pytest.mark.parametrize("name", commands())
def test_each_command_and_each_of_its_options_is_documented(name):
    page = text_of("docs/commands.md")
    about = section(page, f"## ronde {name}")
    for action in commands()[name]._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                assert re.search(rf"`{option}\b", page if option in EVERYWHERE else about), f"{name} {option}"
        if not action.option_strings:
            assert re.search(rf"`ronde {name} [^`]*{action.metavar or action.dest}|`({'|'.join(action.choices or ['-'])})`", page)


@pytest.mark.parametrize("name", commands())
def test_each_command_says_what_it_does_reads_and_writes_and_how_it_ends(name):
    parser = commands()[name]
    told = parser.format_help()
    assert "exit codes: 0" in told.replace("\n", " ")
    assert parser.description
    assert re.search(r"[Rr]eads|[Ww]rites|[Dd]raws|[Ss]ubscribes", parser.description), parser.description
    for action in parser._actions:
        assert action.help, f"{name} {action.dest} has no help"
    assert name in build_parser().format_help()


def test_no_command_is_documented_that_does_not_exist():
    assert set(re.findall(r"^## ronde (\w+)$", text_of("docs/commands.md"), flags=re.MULTILINE)) == set(commands())


def codes(kind):
    """The strings of a Literal, and of Literals in it."""
    return {code for each in typing.get_args(kind) for code in ([each] if isinstance(each, str) else codes(each))}


def test_each_state_and_reason_of_health_is_documented_and_no_other():
    told = set(re.findall(r"^\| `(\w+)` \| [^|\n]+ \|(?: [^|\n]+ \|)?$", text_of("docs/reasons.md"), flags=re.MULTILINE))
    receiver = set(re.findall(r"^\| `(\w+)` \|", text_of("docs/receiver.md"), flags=re.MULTILINE))
    assert told == codes(reasons.State) | codes(reasons.Reason) - codes(reasons.OfReceiver)
    assert receiver >= codes(reasons.OfReceiver)


TABLES = {
    "## [unit]": configured.Unit,
    "## [gps]": configured.Gps,
    "## [camera]": configured.Camera,
    "## [trigger]": configured.Trigger,
    "## [models]": configured.Models,
    "## [storage]": configured.Keeping,
    "## [budget]": configured.Budget,
    "## [grade]": configured.Grading,
    "## [panel]": configured.Panel,
    "## [[backend]]": configured.Backend,
}


def as_toml(value):
    if value is None or value is dataclasses.MISSING:
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(as_toml(each).strip('`') for each in value)}]`"
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


@pytest.mark.parametrize("heading", TABLES)
def test_each_setting_is_documented_with_its_default(heading):
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section(text_of("docs/configuration.md"), heading), flags=re.MULTILINE)
    assert [key for key, _ in rows] == [field.name for field in dataclasses.fields(TABLES[heading])]
    for (key, default), field in zip(rows, dataclasses.fields(TABLES[heading]), strict=True):
        assert default == as_toml(field.default), key


def test_the_tables_of_the_documentation_are_all_there_are():
    kinds = set()
    for field in dataclasses.fields(Settings):
        hint = typing.get_type_hints(Settings)[field.name]
        kinds |= {kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)}
    assert kinds == set(TABLES.values())


def test_the_words_that_a_setting_allows_are_documented():
    page = text_of("docs/configuration.md")
    for words in (configured.CAMERA_KINDS, configured.STREAMS, configured.CONFIRMS):
        for word in words:
            assert f"`{word}`" in page


def test_the_examples_of_the_configuration_are_accepted():
    examples = re.findall(r"^```toml\n(.*?)^```", text_of("docs/configuration.md"), flags=re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        assert settings_of(tomllib.loads(example), Path("/etc/ronde/ronde.toml")).unit.name == "car-07"


HANDED = "any"
"""The part of an event that is said through a log handed over by whoever calls."""


def logged():
    """(part, event, level) of each call of a log, and the calls that cannot be read."""
    found, unreadable = set(), []
    for file in SOURCES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        logs = {"self._log": HANDED}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and getattr(node.value.func, "id", "") == "events"
            ):
                logs[ast.unparse(node.targets[0])] = node.value.args[0].value
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
                continue
            part = logs.get(ast.unparse(node.func.value))
            name = node.args[0] if node.args else None
            if part is not None and isinstance(name, ast.Constant) and EVENT.fullmatch(str(name.value)):
                found.add((part, name.value, node.func.attr))
            else:
                unreadable.append(f"{file.relative_to(PROJECT)}:{node.lineno}")
    return found, unreadable


def test_each_event_of_the_log_is_documented_and_none_that_is_not_said():
    found, unreadable = logged()
    assert unreadable == [], (
        "an event is said by log = events(...) or self._log, its name a literal of small letters and underscores"
    )
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\w+) \|", section(text_of("docs/engineers.md"), "## The log"), flags=re.MULTILINE
    )
    handed = {(event, level) for part, event, level in found if part == HANDED}
    assert {(part, event, level) for event, part, level in rows if (event, level) not in handed} == {
        each for each in found if each[1:] not in handed
    }
    assert handed <= {(event, level) for event, _, level in rows}
    assert len(found) > 10
    for event in LOGS_OWN:
        assert f"`{event}`" in text_of("docs/engineers.md")


def test_nothing_logs_or_prints_past_provisioning_log():
    """A `print` elsewhere is no log line; a logger of its own would know no budget and no coordinates."""
    for file in SOURCES:
        if file.name != "log.py":
            assert not re.search(r"\blogging\.(getLogger|info|warning|error|debug)\(", file.read_text(encoding="utf-8")), file


def test_the_package_names_belong_to_ronde_alone():
    check = check_packages(packages_distributions())
    assert check.state == "ok", check


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name} links to {target}"
        assert PROJECT in file.resolve().parents, f"{page.name} links out of the project: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


def test_every_page_is_reached():
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for page in (PROJECT / "docs").rglob("*.md"):
        assert re.search(rf"\]\([^)]*{re.escape(page.name)}[)#]", told), f"no page links to {page.name}"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_a_module_is_not_too_long(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_file_names_a_place_on_somebodys_machine():
    kept = (".py", ".md", ".toml", ".json", ".service", ".cfg", "")
    inside = [file for each in (*PACKAGES, "docs", "tests", "systemd", ".ci") for file in (PROJECT / each).rglob("*")]
    for file in [*inside, *PROJECT.iterdir()]:
        if file.is_file() and file.suffix in kept and "__pycache__" not in file.parts and file != Path(__file__):
            found = PLACE_ON_A_MACHINE.search(file.read_text(encoding="utf-8", errors="replace"))
            assert not found, f"{file.relative_to(PROJECT)}: {found[0]}"


def test_tests_and_units_are_no_packages():
    assert not [*(PROJECT / "tests").rglob("__init__.py"), *(PROJECT / "systemd").rglob("__init__.py")]


def test_the_version_stands_in_the_changes():
    assert re.search(rf"^## {re.escape(version('ronde'))}\b", text_of("CHANGELOG.md"), flags=re.MULTILINE)


def test_each_decision_has_its_date():
    decisions = sorted((PROJECT / "docs" / "adr").glob("*.md"))
    assert [each.name[:4] for each in decisions] == [f"{n:04d}" for n in range(1, len(decisions) + 1)]
    for each in decisions:
        lines = each.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", lines[2]), each
        assert len(lines) <= 60, f"{each} is longer than a screen"
