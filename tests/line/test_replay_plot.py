"""`ronde replay --plot`, as a person types it."""

import importlib.util
import io
import xml.etree.ElementTree as ET

import pytest

from provisioning.log import set_up
from sync import plot
from sync.command import DONE, WRONG_USE, main


@pytest.fixture(autouse=True)
def _log_ends_with_the_test():
    yield
    set_up(stream=io.StringIO())


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (extra [plot])")
def test_a_replay_is_drawn_and_drawn_again_without_driving(drawn_drive, tmp_path):
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for picture in pictures:
        assert main(["replay", str(drawn_drive), "--out", str(tmp_path / "out"), "--plot", str(picture)]) == DONE
        assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert b"<image" not in pictures[0].read_bytes()


def test_without_matplotlib_nothing_is_driven(capsys, monkeypatch, drawn_drive, tmp_path):
    monkeypatch.setattr(plot.importlib.util, "find_spec", lambda name: None)
    out = tmp_path / "out"
    assert main(["replay", str(drawn_drive), "--out", str(out), "--plot", str(tmp_path / "round.svg")]) == WRONG_USE
    assert "matplotlib" in capsys.readouterr().err
    assert not out.exists()
