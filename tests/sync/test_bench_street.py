import numpy as np
import pytest

from device.street.drive import TownDrive
from device.street.furnish import make_scene
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Models
from sync import bench_street
from sync.bench_street import SPACING_M, in_words, memory_over, recall_of, wanted_s
from sync.command import main


def driven(seconds):
    return TownDrive(make_scene("tests", 1), np.full(round(seconds * 100) + 1, 8.0))


def test_a_frame_is_wanted_each_spacing_of_road():
    drive = driven(20.1)
    odometers_m = [drive.odometer_m(at_s) for at_s in wanted_s(drive)]
    assert len(odometers_m) == 41
    assert np.abs(np.diff(odometers_m) - SPACING_M).max() < 0.01


def test_memory_is_read_while_frames_are_drawn():
    drive = driven(6.0)
    memory = memory_over(drive, wanted_s(drive))
    assert memory["frames"] == 12
    quarters_mb = memory["quarters_mb"]
    assert len(quarters_mb) == 4
    assert 50 < quarters_mb[0] <= max(quarters_mb)
    assert memory["growth"] == pytest.approx(max(quarters_mb) / quarters_mb[0] - 1.0, abs=0.02)


def test_the_street_alone_is_never_shown_without_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.setenv("RONDE_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(bench_street, "PURPOSE", "tests")
    found = recall_of(Models().privacy, 3)
    labels = TfliteModel(locate(Models().privacy), 1).manifest.labels
    assert set(found["labels"]) <= set(labels)
    vehicles = found["labels"]["vehicle"]["street"]
    assert vehicles["boxes"] == sum(count for _, count in vehicles["by_size"]) > 0
    assert vehicles["things"][1] > 0
    assert all(each["real"] is None for each in found["labels"].values())
    memory = {"frames": 1, "driven_s": 1, "quarters_mb": [1, 1, 1, 1], "growth": 0.0}
    told = in_words({"frames_per_s": 20.0, "deterministic": True, "memory": memory, "recall": [found], "goals_missed": []})
    assert "no real pictures here" in told
    assert "the street alone proves nothing" in told


def test_an_option_of_another_bench_is_refused(capsys):
    assert main(["bench", "street", "--seeds", "3"]) == 2
    assert "belongs to bench spacing" in capsys.readouterr().err
