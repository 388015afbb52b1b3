import copy
import json

import pytest

from device.earth import distance_m
from device.street.furnish import make_scene
from device.street.scene import KINDS, LYING, STANDING
from device.street.scene_file import SceneRefused, read_scene, write_scene
from device.street.seeds import PURPOSES, purpose_of, seed_of
from inference.labels import BY_NAME


@pytest.fixture(scope="module")
def scene():
    return make_scene("tests", 1)


@pytest.fixture(scope="module")
def written(scene, tmp_path_factory):
    file = tmp_path_factory.mktemp("scene") / "scene.json"
    write_scene(scene, file)
    return file


def test_a_scene_is_read_as_it_was_written(scene, written, tmp_path):
    again = read_scene(written)
    assert again == scene
    write_scene(again, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()


def test_a_seed_makes_the_same_town_and_another_seed_another(scene):
    assert make_scene("tests", 1) == scene
    assert make_scene("tests", 2).line != scene.line


def test_a_town_holds_everything_and_names_it_as_ronde_does(scene):
    kinds = {thing.kind for thing in scene.things}
    assert kinds == set(KINDS) == {*LYING, *STANDING}
    assert {thing.label for thing in scene.things} - {None} <= set(BY_NAME)
    assert 2000 < scene.path.length_m < 5000
    assert len(scene.tunnels) == 1
    assert len(scene.lights) >= 3


def test_damage_is_repaired_and_new_between_rounds(scene):
    damage = [thing for thing in scene.things if thing.lies]
    repaired = [thing for thing in damage if thing.rounds == (1,)]
    assert repaired
    for thing in repaired:
        patches = [each for each in damage if each.kind == "patch" and each.rounds == (2,)]
        assert any((each.along_m, each.right_m) == (thing.along_m, thing.right_m) for each in patches)
    assert any(thing.rounds == (2,) and thing.kind != "patch" for thing in damage)


def test_latitude_and_longitude_are_metres_from_the_origin(scene):
    thing = scene.things[0]
    place = scene.place_deg(thing.east_m, thing.north_m)
    away_m = (thing.east_m**2 + thing.north_m**2) ** 0.5
    assert distance_m(scene.origin.latitude_deg, scene.origin.longitude_deg, *place) == pytest.approx(away_m, abs=0.01)


def test_no_house_stands_on_the_road(scene):
    along = scene.path
    for thing in scene.things:
        if thing.kind == "house":
            stretch = scene.stretch_at(thing.along_m)
            assert not -stretch.left_m < thing.right_m < stretch.right_m, thing.id
    assert along.length_m > 0


def test_purposes_share_no_picture():
    seeds = {purpose: {thing.seed for n in (1, 2) for thing in make_scene(purpose, n).things} for purpose in PURPOSES}
    for purpose in PURPOSES:
        assert {purpose_of(seed) for seed in seeds[purpose]} == {purpose}
        for other in PURPOSES:
            assert purpose == other or not seeds[purpose] & seeds[other]
    assert all(seed_of(purpose, 10**9, "x") < 2**53 for purpose in PURPOSES)


def changed(values, *keys, to):
    values = copy.deepcopy(values)
    inner = values
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    return values


@pytest.mark.parametrize(
    ("keys", "to", "said"),
    [
        (("version",), 7, "version is 7; this ronde reads version 1"),
        (("purpose",), "fun", "purpose is 'fun'; allowed: training"),
        (("things", 0, "along_m"), "near", "things 0: along_m is 'near'; wanted: a number"),
        (("things", 0, "kind"), "dragon", "things 0: kind is 'dragon'; allowed: crack_longitudinal"),
        (("things", 0, "colour"), "red", "things 0 has 'colour', which is not known"),
        (("things", 0, "rounds"), [], "has rounds []"),
        (("things", 0, "width_m"), -1.0, "a size that is none"),
        (("things", 0, "severity"), 9, "severity 9; allowed: 1 to 3"),
        (("things", 1, "id"), "cover-0", "thing cover-0 is there twice"),
        (("things", 0, "east_m"), 4000.0, "away from itself"),
        (("things", 0), 5, "things 0 is 5; wanted: an object"),
        (("line", 0, "length_m"), 9.0, "from where the next piece starts"),
        (("line",), [], "line is empty"),
        (("lights", 0, "red_s"), 1000.0, "is red for 1000 s"),
        (("tunnels", 0, "to_m"), 1.0, "a tunnel goes from"),
        (("stretches", 0, "to_m"), 1.0, "stretches 1 goes from"),
        (("weather",), [], "weather end at 0 m"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(written, tmp_path, keys, to, said):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(changed(json.loads(written.read_text()), *keys, to=to)))
    with pytest.raises(SceneRefused) as refused:
        read_scene(file)
    assert said in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"version": NaN}', "\udcff", "[" * 100_000])
def test_what_is_no_scene_at_all_is_refused(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SceneRefused, match=r"bad\.json"):
        read_scene(file)
    with pytest.raises(SceneRefused, match="cannot be read"):
        read_scene(tmp_path / "none.json")


def test_a_missing_value_is_named(written, tmp_path):
    values = json.loads(written.read_text())
    del values["things"][0]["seed"]
    (tmp_path / "bad.json").write_text(json.dumps(values))
    with pytest.raises(SceneRefused, match="things 0 lacks seed"):
        read_scene(tmp_path / "bad.json")
