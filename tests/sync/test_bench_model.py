"""The bench of the models: a look is taken apart by stage, an estimate says that it is one."""

import json

import numpy as np
import pytest

from device.frame import Frame
from inference.manifest import locate
from inference.trial import NOWHERE
from provisioning.settings import Models
from sync import bench_model
from sync.bench_model import BenchRefused, estimate, in_words, invoke_ms, look_ms


@pytest.fixture(scope="module")
def paths():
    return {"roads": locate(Models().roads), "privacy": locate(Models().privacy)}


def test_the_stages_of_a_look_add_up_to_it(paths, monkeypatch):
    monkeypatch.setattr(bench_model, "LOOKS", 2)
    frame = Frame(np.full((384, 512, 3), 90, np.uint8), 0.0, NOWHERE)
    said = look_ms(paths, [frame])
    assert said["worst_ms"] >= said["median_ms"] > 0
    assert set(said["stages_ms"]) == {"letterbox", "invoke", "decode", "hide", "glance"}
    assert said["stages_ms"]["invoke"] > said["stages_ms"]["hide"]


def test_an_invoke_is_timed_by_threads_and_another_python_that_cannot_is_refused(paths, monkeypatch):
    monkeypatch.delenv(bench_model.OTHER_PYTHON, raising=False)
    monkeypatch.setattr("inference.timing.INVOKES", 2)
    measured = invoke_ms(paths["roads"])
    assert [each["threads"] for each in measured] == [1, 2, 4]
    assert all(each["worst_ms"] >= each["median_ms"] > 0 for each in measured)
    monkeypatch.setenv(bench_model.OTHER_PYTHON, "/bin/false")
    with pytest.raises(BenchRefused, match="cannot run"):
        invoke_ms(paths["roads"])


def test_a_slower_pi_is_estimated_to_be_slower(paths):
    said = estimate(paths["privacy"])
    assert said["pi_4_ms"][1] > said["pi_4_ms"][4] > said["pi_5_ms"][4]
    assert said["pi_4_ms"][1] > said["pi_5_ms"][1]


def test_what_is_missed_and_what_is_estimated_is_said(paths):
    look = {"frames": 1, "median_ms": 70.0, "worst_ms": 300.0, "stages_ms": {"letterbox": 5.0, "invoke": 60.0, "hide": 5.0}}
    invoke = {"model": "roads-9", "runtime": "ai_edge_litert", "threads": 1, "median_ms": 9.0, "worst_ms": 12.0}
    result = {
        "cores": 2,
        "invoke": [invoke],
        "look": {0: look, 4: look},
        "estimates": [estimate(paths["roads"])],
        "estimates_from": bench_model.SOURCES,
        "goals_missed": ["a look of at most 60 ms with up to 4 vehicles"],
    }
    assert json.loads(json.dumps(result))["look"]["4"] == look
    text = in_words(result)
    assert "ESTIMATES" in text
    assert "not measured" in text
    assert "288 ms at 50 km/h, 160 ms at 90 km/h" in text
    assert "missed: a look of at most 60 ms" in text
