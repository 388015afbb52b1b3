"""What a person sees: one clear sentence for each thing that is wrong, the right exit code, JSON alone on stdout."""

import functools
import io
import json
import shutil

import pytest

from inference.manifest import SHIPPED
from provisioning.log import set_up
from sync.command import DONE, UNDONE, WRONG_USE, main
from sync.delivery import deliver_once
from sync.replay import replay


def run(capsys, *argv):
    code = main([str(each) for each in argv])
    out, err = capsys.readouterr()
    return code, out, [line for line in err.splitlines() if line.startswith("ronde: ")]


def refused(capsys, *argv):
    """The one sentence of a refusal."""
    code, out, sentences = run(capsys, *argv)
    assert (code, out, len(sentences)) == (WRONG_USE, "", 1)
    return sentences[0]


@pytest.fixture(autouse=True)
def _log_ends_with_the_test():
    """A command logs to the stderr of its test, which is closed afterwards."""
    yield
    set_up(stream=io.StringIO())


@pytest.fixture
def config(tmp_path):
    def write(text="", head='[unit]\nfleet = "cannes"\nname = "car-07"\n'):
        file = tmp_path / "ronde.toml"
        file.write_text(f'{head}state = "{tmp_path / "state"}"\n{text}')
        return file

    return write


def test_replay_prints_where_its_time_went(capsys, drawn_drive, tmp_path):
    code, out, _ = run(capsys, "replay", drawn_drive, "--out", tmp_path)
    assert code == DONE
    assert "time: " in out
    assert "invoke " in out


def test_replay_json_is_one_object_and_nothing_else(capsys, drawn_drive, tmp_path):
    code, out, _ = run(capsys, "replay", drawn_drive, "--out", tmp_path, "--json")
    assert code == DONE
    assert json.loads(out)["frames_kept"] > 20


def test_a_drive_without_fixes(capsys, drawn_drive, tmp_path):
    drive = tmp_path / "drive"
    shutil.copytree(drawn_drive, drive)
    (drive / "fixes.jsonl").write_text('{"class":"VERSION","release":"3.22"}\n')
    assert f"{drive} has no fixes" in refused(capsys, "replay", drive, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_frames_outside_the_tracks_time(capsys, drawn_drive, tmp_path):
    drive = tmp_path / "drive"
    shutil.copytree(drawn_drive, drive)
    table = (drive / "frames.csv").read_text().splitlines()
    table[1:] = [row.replace(row.split(",")[1][:4], "2031") for row in table[1:]]
    (drive / "frames.csv").write_text("\n".join(table) + "\n")
    sentence = refused(capsys, "replay", drive, "--out", tmp_path / "out")
    assert f"{drive}: no frame was taken while there were fixes" in sentence
    assert "2031" in sentence


def test_a_broken_jpeg_is_counted_and_the_drive_is_driven(capsys, drawn_drive, tmp_path):
    drive = tmp_path / "drive"
    shutil.copytree(drawn_drive, drive)
    victim = sorted((drive / "frames").iterdir())[17]
    victim.write_bytes(victim.read_bytes()[:1000])
    code, out, _ = run(capsys, "replay", drive, "--out", tmp_path / "out")
    assert code == DONE
    assert "unreadable: 1 frames" in out


def test_a_model_whose_hash_differs(capsys, drawn_drive, tmp_path, config):
    for suffix in ("tflite", "json"):
        shutil.copy(SHIPPED / f"roads-1.{suffix}", tmp_path / f"mine.{suffix}")
    model = tmp_path / "mine.tflite"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    sentence = refused(
        capsys, "replay", drawn_drive, "--out", tmp_path / "out", "--config", config(f'[models]\nroads = "{model}"\n')
    )
    assert f"{model}: is not the file its manifest describes (its sha256 differs)" in sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[trigger]\nspacing = 4\n", "[trigger] spacing is not known"),
        ("[trigger]\nspacing_m = 40\n", "[trigger] spacing_m is 40; allowed: a number from 2 to 20"),
        ('[camera]\nkind = "polaroid"\n', "[camera] kind is 'polaroid'; allowed: picamera2, v4l2"),
        ('[[backend]]\nname = "roads"\nurl = "mqtt://example.org:1883"\n', "is not encrypted"),
        ('[[backend]]\nname = "roads"\nurl = "mqtts://example.org:8883"\n', "mqtts:// needs ca, cert and key"),
        ("[gps]\nport = \n", "is no TOML"),
    ],
)
def test_a_wrong_configuration_names_the_file_the_key_and_what_is_allowed(capsys, config, text, words):
    file = config(text)
    for command in ("capture", "sync", "doctor"):
        sentence = refused(capsys, command, "--config", file)
        assert str(file) in sentence
        assert words in sentence


def test_a_configuration_that_is_not_there(capsys, tmp_path):
    assert "there is no such file" in refused(capsys, "sync", "--config", tmp_path / "none.toml")


def test_sync_once_with_a_broker_that_refuses_the_certificate_keeps_every_event(
    capsys, drawn_drive, tmp_path, config, monkeypatch
):
    """The refusal itself is tried against mosquitto in tests/sync; here nobody listens, which is refused the same way."""
    monkeypatch.setattr("sync.delivery.deliver_once", functools.partial(deliver_once, give_up_s=1.0))
    file = config('[[backend]]\nname = "roads"\nurl = "mqtt://127.0.0.1:9"\n')
    run(capsys, "replay", drawn_drive, "--out", tmp_path / "state", "--config", file)
    code, out, _ = run(capsys, "sync", "--once", "--config", file, "--json")
    result = json.loads(out)
    assert code == UNDONE
    assert result["done"] is False
    assert result["backends"][0]["left"] > 0
    assert "127.0.0.1:9" in result["backends"][0]["reason"]


def test_export_prints_geojson(capsys, drawn_drive, tmp_path):
    replay(drawn_drive, tmp_path)
    for layer, kind in (("findings", "Point"), ("tracks", "LineString")):
        code, out, _ = run(capsys, "export", tmp_path, "--layer", layer)
        assert code == DONE
        collection = json.loads(out)
        assert collection["type"] == "FeatureCollection"
        assert {feature["geometry"]["type"] for feature in collection["features"]} == {kind}
    run(capsys, "export", tmp_path, "--out", tmp_path / "findings.geojson")
    assert json.loads((tmp_path / "findings.geojson").read_text())["features"]


def test_bench_line_says_what_a_frame_costs(capsys, drawn_drive):
    code, out, _ = run(capsys, "bench", "line", "--drive", drawn_drive, "--json")
    assert code == DONE
    result = json.loads(out)
    assert result["frames"] > 20
    assert {"choose", "letterbox", "invoke", "decode", "hide", "photo", "database"} <= set(result["cpu_ms_per_frame"])
    assert 0.0 < result["invoke_share"] < 1.0


def test_bench_line_draws_its_own_drive_where_none_is_given(capsys, monkeypatch):
    for name, small in (("DRAWN_S", 3.0), ("DRAWN_WIDTH", 320), ("DRAWN_HEIGHT", 240)):
        monkeypatch.setattr(f"sync.bench.{name}", small)
    code, out, _ = run(capsys, "bench", "line")
    assert code == DONE
    assert "frames of 320x240" in out
