"""What `ronde provision` takes is documented and explained, command by command."""

import argparse
import re
from pathlib import Path

import pytest

from provisioning.log import set_up
from sync.arguments import build_parser
from sync.command import main

PAGE = Path(__file__).parents[2] / "docs/commands.md"
EVERYWHERE = {"--help", "--json", "--config", "--folder"}


def below(parser, name):
    (subparsers,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return subparsers.choices[name] if name else subparsers.choices


COMMANDS = below(below(build_parser(), "provision"), "")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_documented_and_has_its_help(name):
    section = re.search(r"^## ronde provision\n(.*?)^## ", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)[1]
    about = re.search(rf"^- `{name}\b(.*?)(?=^- `|\Z)", section, flags=re.DOTALL | re.MULTILINE)[0]
    parser = COMMANDS[name]
    assert re.search(r"[Rr]eads|[Ww]rites", parser.description)
    assert "exit codes: 0" in parser.format_help().replace("\n", " ")
    for action in parser._actions:
        assert action.help, action.dest
        for option in action.option_strings:
            if option.startswith("--"):
                assert re.search(rf"`{option}\b|`[^`]* {option}\b", section if option in EVERYWHERE else about) or option in {
                    "--help",
                    "--json",
                    "--config",
                }, f"{name} {option}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fleet", "Cannes", "--host", "a"], "names no fleet"),
        (["fleet", "cannes", "--host", "https://a"], "is no host"),
        (["fleet", "cannes", "--host", "a", "--port", "0"], "is no port"),
        (["fleet", "cannes", "--host", "a", "--ca", "x"], "--ca and --key go together"),
        (["fleet", "cannes", "--host", "a", "--ca", "x", "--key", "y"], "x cannot be read"),
        (["unit", "cannes"], "names no unit"),
        (["unit", "cannes/../x"], "names no unit"),
        (["unit", "cannes/car-07"], "holds no fleet"),
        (["enrol", "--card", "nowhere", "--config", "ronde.toml"], "cannot be read"),
        (["renew", "--config", "ronde.toml"], "this unit is not enrolled"),
        (["sign", "nothing.json"], "cannot be read"),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        assert main(["provision", *words]) == 2
    finally:
        set_up()
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == [], "nothing was made"


def test_a_fleet_is_not_overwritten_and_is_its_owners_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make = ["provision", "fleet", "cannes", "--host", "mqtt.cannes.example"]
    assert main(make) == 0
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert main(make) == 2
    assert "nothing in it is overwritten" in capsys.readouterr().err
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for path in (tmp_path / "cannes").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
