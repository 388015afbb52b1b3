"""The picture of a round: drawn from what is on disk, refused in one sentence where it cannot be."""

import importlib.util
import xml.etree.ElementTree as ET

import pytest

from sync import plot
from sync.database import open_database
from sync.plot import PlotRefused, check_plot, plot_round

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (extra [plot])"
)
STEPS_M = [0.0, 4.0, 8.1, 12.0, 31.5, 35.5]


@pytest.fixture
def round_on_disk(tmp_path):
    """Six photos to the north, one of them placed without a fix, and a gap between the fourth and the fifth."""
    db = open_database(tmp_path / "ronde.db")
    db["round"].insert(
        {"id": "0000aaaa-1", "started_at": "2026-05-04T09:00:00.000Z", "software": "0", "models": "{}", "settings": "{}"}
    )
    for number, odometer_m in enumerate(STEPS_M):
        db["frame"].insert(
            {
                "id": number + 1,
                "round_id": "0000aaaa-1",
                "taken_at": f"2026-05-04T09:00:{number:02d}.000Z",
                "time_source": "gnss",
                "latitude_deg": 43.55 + odometer_m / 111_100.0,
                "longitude_deg": 7.01,
                "accuracy_m": 3.0,
                "heading_deg": 0.0,
                "speed_mps": 8.0,
                "odometer_m": odometer_m,
                "position_source": "filled" if number == 4 else "between_fixes",
                "file": f"frames/{number}.jpg",
                "sha256": f"{number:064d}",
                "hidden": 0,
            }
        )
    db.close()
    report = {
        "round_id": "0000aaaa-1",
        "length_m": 36.0,
        "share_within": 0.8,
        "spacing_m": 4.0,
        "spacing_tolerance_m": 0.5,
        "gaps": [{"odometer_m": 12.0, "length_m": 19.5, "reason": "no_fix"}],
    }
    return tmp_path / "ronde.db", report


def drawn_texts(file):
    """Everything that matplotlib drew as text: it leaves it in comments before its outlines."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.parse(file, parser).getroot()
    return [each.text.strip() for each in root.iter() if each.tag is ET.Comment]


@needs_matplotlib
def test_the_histogram_and_the_road_with_its_gap_are_drawn(round_on_disk, tmp_path):
    plot_round(*round_on_disk, tmp_path / "round.svg")
    texts = drawn_texts(tmp_path / "round.svg")
    assert "round 0000aaaa-1: 36 m, 6 photos, 80.0% of the distances right" in texts
    assert "photo (5)" in texts
    assert "photo placed without a fix (1)" in texts
    assert "gap: the fix was lost (1)" in texts
    assert any(text.startswith("metres of road between two photos") for text in texts)


@needs_matplotlib
def test_the_same_round_gives_the_same_picture(round_on_disk, tmp_path):
    for name in ("one.svg", "two.svg"):
        plot_round(*round_on_disk, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@needs_matplotlib
def test_a_round_without_photos_is_drawn_too(round_on_disk, tmp_path):
    db_file, report = round_on_disk
    db = open_database(db_file)
    db.conn.execute("DELETE FROM frame")
    db.close()
    plot_round(db_file, report | {"share_within": None, "gaps": [], "length_m": 0.0}, tmp_path / "round.svg")
    assert "no photo has a place" in drawn_texts(tmp_path / "round.svg")


def test_a_missing_matplotlib_is_said_before_a_round_is_driven(monkeypatch, tmp_path):
    monkeypatch.setattr(plot.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PlotRefused, match=r"matplotlib.*\[plot\]"):
        check_plot(tmp_path / "round.svg")


def test_a_picture_that_could_not_be_written_is_refused(tmp_path):
    with pytest.raises(PlotRefused, match=r"must end in \.svg"):
        check_plot(tmp_path / "round.png")
    with pytest.raises(PlotRefused, match="there is no folder"):
        check_plot(tmp_path / "nowhere" / "round.svg")
