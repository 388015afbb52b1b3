import io
import json
import logging
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import log


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _quiet_afterwards():
    root = logging.getLogger()
    before = root.level
    yield
    log.set_up(stream=io.StringIO())
    for handler in [each for each in root.handlers if isinstance(each, log._Lines)]:
        root.removeHandler(handler)
    root.setLevel(before)


def lines_of(stream):
    """Each JSON line with its journald priority."""
    lines = stream.getvalue().splitlines()
    return [(int(line[1]), json.loads(line[3:])) for line in lines if line.startswith("<") and line[2] == ">"]


def test_away_from_a_terminal_a_line_is_json_behind_its_priority():
    out = io.StringIO()
    log.set_up("debug", out)
    capture = log.events("capture")
    capture.debug("frame_looked_at", frame_id="7")
    capture.info("frame_kept", frame_id="8", odometer_m=12.5)
    capture.warning("gps_lost", reason="no line for 2 s")
    capture.error("camera_given_up", tries=3)
    lines = lines_of(out)
    assert [priority for priority, _ in lines] == [7, 6, 4, 3]
    assert len(out.getvalue().splitlines()) == 4
    said = lines[1][1]
    assert (said["part"], said["event"], said["level"]) == ("capture", "frame_kept", "info")
    assert (said["frame_id"], said["odometer_m"]) == ("8", 12.5)
    assert datetime.fromisoformat(said["at"].replace("Z", "+00:00")).tzinfo is not None


def test_on_a_terminal_a_line_is_for_a_person():
    out = Terminal()
    log.set_up("info", out)
    log.events("sync").info("event_delivered", id="a-1", reason="slow link", rows=3)
    line = out.getvalue()
    assert line.endswith('sync event_delivered id=a-1 reason="slow link" rows=3\n')
    assert "{" not in line


def test_no_text_moves_the_cursor_or_starts_a_line():
    out = Terminal()
    log.set_up("info", out)
    log.events("sync").info("command_refused", note="x\x1b[2J\n<3>forged\x9b1m")
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert "\x9b" not in out.getvalue()


COORDINATES = {"latitude_deg": 43.5513, "longitude_deg": 7.0174, "camera": {"lat": 43.5513, "heading_deg": 12.0}}


def test_coordinates_are_written_at_debug_alone():
    out = io.StringIO()
    log.set_up("debug", out)
    capture = log.events("capture")
    capture.debug("fix_accepted", **COORDINATES)
    for say in (capture.info, capture.warning, capture.error):
        say("fix_accepted", accuracy_m=2.5, **COORDINATES)
    lines = [said for _, said in lines_of(out)]
    assert lines[0]["latitude_deg"] == 43.5513
    assert lines[0]["camera"]["lat"] == 43.5513
    for said in lines[1:]:
        assert said["accuracy_m"] == 2.5
        assert said["camera"] == {"heading_deg": 12.0}
        assert "43.5513" not in json.dumps(said)
        assert "7.0174" not in json.dumps(said)


class Raw:
    def __init__(self):
        self.pixels = b"secret"

    def __repr__(self):
        return "secret"


@pytest.mark.parametrize(
    "value", [np.full((2, 2, 3), 77, np.uint8), b"secret", bytearray(b"secret"), memoryview(b"secret"), Raw()]
)
def test_pixels_bytes_and_objects_are_written_as_their_type(value):
    out = io.StringIO()
    log.set_up("debug", out)
    log.events("capture").debug("frame_looked_at", pixels=value, inside=[value], below={"a": value})
    said = lines_of(out)[0][1]
    name = f"<{type(value).__name__}>"
    assert (said["pixels"], said["inside"], said["below"]) == (name, [name], {"a": name})
    assert "secret" not in out.getvalue()
    assert "77" not in json.dumps({key: said[key] for key in ("pixels", "inside", "below")})


def test_numbers_times_paths_and_errors_are_written_out():
    out = io.StringIO()
    log.set_up("info", out)
    log.events("capture").info(
        "values_said",
        number=np.float32(0.5),
        count=np.int64(3),
        nothing=None,
        never=float("nan"),
        when=datetime(2026, 11, 25, tzinfo=timezone.utc),
        file=Path("frames/7.jpg"),
        error=OSError("disk is full"),
        long="x" * 5000,
    )
    said = lines_of(out)[0][1]
    assert (said["number"], said["count"], said["nothing"], said["never"]) == (0.5, 3, None, "nan")
    assert (said["when"], said["file"]) == ("2026-11-25T00:00:00+00:00", "frames/7.jpg")
    assert said["error"] == "disk is full"
    assert len(said["long"]) < 2100


def test_a_field_cannot_pass_for_the_lines_own():
    out = io.StringIO()
    log.set_up("info", out)
    log.events("panel").info("request_made", level="high", part="front")
    said = lines_of(out)[0][1]
    assert (said["level"], said["part"], said["level_"], said["part_"]) == ("info", "panel", "high", "front")


def test_each_event_has_a_budget_and_what_went_over_it_is_counted():
    out = io.StringIO()
    now_s = [0.0]
    log.set_up("info", out, clock=lambda: now_s[0])
    capture = log.events("capture")
    for _ in range(log.MOST_LINES + 7):
        capture.info("fix_refused")
    capture.info("heartbeat_sent")
    assert [said["event"] for _, said in lines_of(out)] == ["fix_refused"] * log.MOST_LINES + ["heartbeat_sent"]
    now_s[0] = log.WINDOW_S
    capture.info("heartbeat_sent")
    capture.info("fix_refused")
    last = [said for _, said in lines_of(out)][-3:]
    assert [said["event"] for said in last] == ["lines_left_out", "heartbeat_sent", "fix_refused"]
    assert (last[0]["of"], last[0]["left_out"]) == ("fix_refused", 7)


def test_a_new_set_up_says_what_the_old_one_left_out():
    out = io.StringIO()
    log.set_up("info", out)
    for _ in range(log.MOST_LINES + 2):
        log.events("sync").info("event_delivered")
    log.set_up("info", io.StringIO())
    assert lines_of(out)[-1][1]["left_out"] == 2


def test_debug_is_silent_unless_asked_for():
    out = io.StringIO()
    log.set_up("info", out)
    log.events("capture").debug("frame_looked_at")
    assert out.getvalue() == ""


def test_libraries_speak_from_warning_on_with_their_error():
    out = io.StringIO()
    log.set_up("debug", out)
    library = logging.getLogger("paho.mqtt.client")
    library.info("chatter")
    library.error("caught in %s", "on_publish", exc_info=OSError("gone"))
    (priority, said) = lines_of(out)[0]
    assert (priority, said["part"], said["event"]) == (3, "paho.mqtt.client", "library_spoke")
    assert (said["text"], said["error"]) == ("caught in on_publish", "gone")
    assert len(lines_of(out)) == 1


def test_a_closed_stream_stops_nothing(monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    out = io.StringIO()
    log.set_up("info", out)
    out.close()
    for _ in range(log.MOST_LINES + 1):
        log.events("capture").info("frame_kept")
    log.set_up("info", io.StringIO())


@given(
    st.text(),
    st.recursive(
        st.none() | st.floats() | st.text() | st.binary(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    ),
)
def test_every_value_makes_one_line_of_json(key, value):
    out = io.StringIO()
    log.set_up("info", out)
    log.events("capture").info("value_said", **{"value": value, f"x{key}": 1})
    assert out.getvalue().count("\n") == 1
    priority, said = lines_of(out)[0]
    assert (priority, said["event"]) == (6, "value_said")
