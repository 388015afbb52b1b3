"""The demo: two rounds from the street to the town's database, how the street's truth judges them, and what a person sees."""

import io
import json
import re
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.recording import HEIGHT_M, HFOV_DEG, PITCH_DEG, YAW_DEG
from device.street.truth import true_frame
from device.street.view import View
from provisioning.log import set_up
from sync.command import DONE, UNDONE, WRONG_USE, main
from sync.demo import Sent, run_demo
from sync.demo_ride import Moment, town_drive
from sync.demo_screen import Progress
from sync.demo_truth import REPORTED, Known, Told, Witness, changes, score
from sync.demo_words import in_words
from sync.faults.town import rows

SCENE = make_scene("tests", 1)


@pytest.fixture(autouse=True)
def _log_ends_with_the_test():
    yield
    set_up(stream=io.StringIO())


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of forty metres, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", printed := io.StringIO())
        patch.setattr("sys.stderr", told := io.StringIO())
        code = main(["demo", "--out", str(folder), "--metres", "40", "--json"])
    return SimpleNamespace(folder=folder, code=code, result=json.loads(printed.getvalue()), told=told.getvalue())


def test_two_rounds_a_week_apart_arrive_whole(demo):
    assert (demo.code, demo.result["done"]) == (DONE, True)
    reports = [each["report"] for each in demo.result["rounds"]]
    unit, town = demo.folder / "unit" / "ronde.db", demo.folder / "receiver.db"
    began = [began_at for (began_at,) in rows(unit, "SELECT started_at FROM round ORDER BY id")]
    assert [began_at[:10] < "2026" for began_at in began] == [False, False]
    (apart_days,) = rows(unit, "SELECT julianday(max(started_at)) - julianday(min(started_at)) FROM round")[0]
    assert apart_days == pytest.approx(7.0, abs=0.01)
    photos = sorted((demo.folder / "unit" / "frames").rglob("*.jpg"))
    assert len(photos) == sum(report["frames_kept"] for report in reports) >= 20
    assert sum(photo.stat().st_size for photo in photos) == demo.result["photo_bytes"]
    assert all(report["share_within"] > 0.9 for report in reports)
    findings = [
        set(rows(file, sql)) for file, sql in ((unit, "SELECT id FROM finding"), (town, "SELECT finding_id FROM finding"))
    ]
    assert findings[0] == findings[1]
    assert len(findings[0]) == demo.result["stored"]["finding"] == sum(sum(report["findings"].values()) for report in reports)
    assert len(json.loads((demo.folder / "findings.geojson").read_text())["features"]) == len(findings[0])
    assert rows(unit, "SELECT count(*) FROM outbox") == [(0,)]
    # One street, driven twice: the town knows fewer things than it was told findings, and some from both rounds.
    assert sum(demo.result["things"].values()) < len(findings[0])
    assert demo.result["things"]["seen_again"] > 0


def test_it_says_where_the_map_is_and_how_far_it_has_come(demo):
    assert "The town's map: http://127.0.0.1:" in demo.told
    assert "round 1/2" in demo.told
    assert "round 2/2" in demo.told
    assert "regions hidden" in demo.told
    assert "broker_connected" not in demo.told
    assert "broker_connected" in (demo.folder / "ronde.log").read_text()


def test_a_finished_demo_is_shown_again_and_not_driven(demo, capsys):
    before = (demo.folder / "unit" / "ronde.db").stat().st_mtime_ns
    assert main(["demo", "--out", str(demo.folder), "--metres", "40"]) == DONE
    out, err = capsys.readouterr()
    assert out == in_words(demo.result) + "\n"
    assert "round 1/2" not in err
    assert (demo.folder / "unit" / "ronde.db").stat().st_mtime_ns == before


def test_the_summary_has_each_number(demo):
    text = in_words(demo.result)
    for words in (
        "Round 2: ",
        "within 4 ± 0.5 m",
        "recall",
        "docs/models.md",
        "number plates",
        f"{demo.result['stored']['finding']} finding",
        "the outbox is empty",
        "ronde replay DRIVE",
    ):
        assert words in text
    lost = {**demo.result, "done": False}
    assert "NOT ALL WAS DELIVERED" in in_words(lost)


def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path)]) == WRONG_USE
    assert "is there and holds no demo" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("metres", ["39", "2501", "nan"])
def test_a_length_that_cannot_be_driven_is_refused(tmp_path, capsys, metres):
    assert main(["demo", "--out", str(tmp_path / "demo"), "--metres", metres]) == WRONG_USE
    assert f"--metres {metres} cannot be driven; allowed: 40 to 2500" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_it_can_be_stopped_at_any_moment_and_driven_anew(tmp_path):
    class Impatient(Progress):
        def begin(self, _folder):
            pass

        def show(self, _moment, _sent):
            stop.set()

        def stay(self, *_):
            raise AssertionError("it was stopped")

    for _ in range(2):
        stop = threading.Event()
        screen = Impatient(1000.0, Console(file=io.StringIO()))
        assert run_demo(tmp_path / "demo", 1000.0, stop, screen) is None
        screen.close()
        assert rows(tmp_path / "demo" / "unit" / "ronde.db", "SELECT count(*) FROM round WHERE ended_at IS NOT NULL") == [(1,)]
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("receiver", "sync", "map")]


def test_one_that_is_stopped_ends_with_a_sentence(tmp_path, capsys, monkeypatch):
    told = threading.Event()
    told.set()
    monkeypatch.setattr("sync.command._until_told", lambda: told)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == UNDONE
    assert "ronde: stopped before the end" in capsys.readouterr().err


def told_of(thing, label=None, east_m=0.0):
    return Told(label or thing.kind, *SCENE.place_deg(thing.east_m + east_m, thing.north_m), 2.0)


@pytest.fixture
def witness():
    """Somebody who saw all of round 1 plainly, but one thing."""
    seen = Witness()
    things = [thing for thing in SCENE.in_round(1) if thing.kind in REPORTED]
    seen.plainly.update({thing.id: 2 for thing in things[1:]})
    return seen


def test_who_tells_each_thing_once_at_its_place_is_right(witness):
    things = [thing for thing in SCENE.in_round(1) if thing.kind in REPORTED]
    scored = score(SCENE, 1, witness, [told_of(thing) for thing in things])
    assert {label: (row["found"], row["wrong"]) for label, row in scored.labels.items()} == {
        label: (row["there"], 0) for label, row in scored.labels.items()
    }
    assert sum(row["there"] for row in scored.labels.values()) == len(things) - 1
    assert things[0].id in scored.found


def test_a_wrong_class_a_wrong_place_and_a_second_time_are_wrong(witness):
    hole = next(thing for thing in SCENE.in_round(1) if thing.kind == "pothole" and witness.plainly[thing.id])
    for extra, label in (
        (told_of(hole, label="sign_stop"), "sign_stop"),
        (told_of(hole, east_m=0.5), "pothole"),
        (Told("pothole", 43.0, 7.0, 2.0), "pothole"),
    ):
        labels = score(SCENE, 1, witness, [told_of(hole), extra]).labels
        assert labels["pothole"]["found"] == 1
        assert labels[label]["wrong"] == 1


def test_what_the_town_changed_is_counted(witness):
    first = score(SCENE, 1, witness, [])
    witness.plainly.update({thing.id: 2 for thing in SCENE.things})
    new = [thing for thing in SCENE.things if thing.rounds == (2,) and thing.severity is not None]
    second = score(SCENE, 2, witness, [told_of(new[0])])
    known = [Known(told_of(new[0]), is_over=False, is_new=True), Known(told_of(new[1]), is_over=False, is_new=True)]
    assert changes(SCENE, first, second, known) == {
        "repaired": sum(thing.rounds == (1,) for thing in SCENE.things),
        "repaired_found_before": 0,
        "repaired_told": 0,
        "new": len(new),
        "new_found": 1,
        "new_told": 1,
    }
    repaired = next(thing for thing in SCENE.things if thing.rounds == (1,))
    first = score(SCENE, 1, witness, [told_of(repaired)])
    for is_over in (True, False):
        counted = changes(SCENE, first, second, [Known(told_of(repaired), is_over=is_over, is_new=False)])
        assert (counted["repaired_found_before"], counted["repaired_told"]) == (1, int(is_over))


def test_heads_and_plates_are_open_until_they_are_hidden():
    drive = town_drive(SCENE, 1, 400.0)
    view = View(drive, Pinhole(640, 480, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG))
    frame = next(
        frame
        for frame in (true_frame(view, float(at_s)) for at_s in np.arange(0.0, 60.0, 3.0))
        if {"plate", "head"} <= {seen.label for seen in frame.seen if seen.covered < 0.5}
    )
    counts = []
    for regions in ((), [tuple(map(round, each.box)) for each in frame.seen], [(0, 0, 640, 480)]):
        witness = Witness()
        witness.drew(frame)
        witness.hid(regions)
        counts.append(witness.hiding())
    for label in ("plate", "head"):
        nothing, parts, all_of_it = (each[label] for each in counts)
        assert nothing["all_hidden"] == nothing["clear_hidden"] == 0
        assert parts["all"] == nothing["all"] == all_of_it["all"] == all_of_it["all_hidden"] > 0
        assert parts["all_hidden"] == parts["all"]
        assert all_of_it["clear"] == all_of_it["clear_hidden"] <= all_of_it["all"]


def moment(number=1, driven_m=61.0):
    line = SimpleNamespace(
        tally=SimpleNamespace(findings=Counter(pothole=2), hidden_regions=31),
        spacing=SimpleNamespace(frames=15),
        chooser=SimpleNamespace(spacing_m=4.0, odometer_m=60.0),
    )
    fix = SimpleNamespace(latitude_deg=43.55281, longitude_deg=7.01742, accuracy_m=4.9)
    return Moment(number, driven_m, 12.0, fix, line)


def test_a_terminal_has_a_panel_and_a_pipe_has_lines():
    for terminal in (True, False):
        text = io.StringIO()
        progress = Progress(200.0, Console(file=text, force_terminal=terminal, width=100))
        progress.opened("http://127.0.0.1:8640/")
        progress.show(moment(), Sent(40, 3, 41_000))
        progress.show(moment(driven_m=62.0), Sent(40, 2, 42_000))
        progress.close()
        said = text.getvalue()
        assert "43 km/h" in said
        if terminal:
            assert "place     43.55281, 7.01742 (95 %: 5 m)" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
        assert "in the outbox" in said
        assert ("Round 1 of 2" in said) is terminal
        assert said.count("round 1/2") == (0 if terminal else 1)
