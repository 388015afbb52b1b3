"""An image sequence: what its EXIF says is what the table says, and the picture is the stored one."""

import io
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from device.earth import distance_m
from device.exif import geotag_of
from device.utc import iso_ms
from sync.database import open_database
from sync.export import ExportRefused
from sync.sequence import exif_of, export_images, with_exif

AT = datetime(2026, 5, 4, 9, 59, 59, 999_000, tzinfo=timezone.utc)
ROUND = "INSERT INTO round (id, started_at, software, models, settings) VALUES ('r1', ?, '0.1.0', '{}', ?)"
FRAME = (
    "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, heading_deg, speed_mps, "
    "odometer_m, position_source, file, hidden) VALUES (?, 'r1', ?, 'gnss', ?, ?, 4.5, 359.996, 13.9, 0, 'between_fixes', ?, 0)"
)


def jpeg(colour=(10, 20, 30)):
    out = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(out, "JPEG")
    return out.getvalue()


def row(latitude_deg, longitude_deg, **changes):
    place = {
        "latitude_deg": latitude_deg,
        "longitude_deg": longitude_deg,
        "accuracy_m": 4.5,
        "heading_deg": 90.0,
        "speed_mps": 10.0,
    }
    return place | changes


def read(exif):
    with Image.open(io.BytesIO(with_exif(jpeg(), exif))) as image:
        return geotag_of(image.getexif())


EDGES = st.sampled_from([0.0, -0.0, 1e-9, -1e-9, 1 / 60, 59.999999999 / 3600, 1 - 1e-12, 43.99999999999, 89.9999999999])


@settings(max_examples=300)
@given(
    st.one_of(EDGES, EDGES.map(lambda deg: -deg), st.floats(-89.999, 89.999)),
    st.one_of(EDGES, st.just(-180.0), st.just(180.0), st.floats(-180.0, 180.0)),
    st.timedeltas(timedelta(0), timedelta(days=365 * 19)),
)
def test_every_place_and_time_comes_back_as_it_was(latitude_deg, longitude_deg, since):
    taken_at = AT + since
    tag = read(exif_of(row(latitude_deg, longitude_deg), taken_at, {}))
    assert distance_m(tag.latitude_deg, tag.longitude_deg, latitude_deg, longitude_deg) < 0.01
    assert timedelta(0) <= taken_at - tag.taken_at < timedelta(milliseconds=1)
    assert tag.accuracy_m == pytest.approx(4.5, abs=0.02)


def test_a_direction_is_below_360_and_an_unknown_one_is_not_said():
    said = {
        heading: dict(exif_of(row(43.0, 7.0, heading_deg=heading), AT, {}).get_ifd(0x8825)).get(17)
        for heading in (359.999, 0.0, None)
    }
    assert said == {359.999: 0, 0.0: 0, None: None}


def test_the_focal_length_is_that_of_the_cameras_field_of_view():
    exif = exif_of(row(43.0, 7.0), AT, {"hfov_deg": 63.0})
    assert exif.get_ifd(0x8769)[0xA405] == 29


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    (folder / "frames" / "r1").mkdir(parents=True)
    db = open_database(folder / "ronde.db")
    db.conn.execute(ROUND, (iso_ms(AT), '{"camera": {"hfov_deg": 63.0}}'))
    for number in (1, 2, 3, 4):
        file = f"frames/r1/{number:06d}.jpg"
        if number != 3:
            (folder / file).write_bytes(jpeg((number, 0, 0)))
        place = (None, None, None) if number == 4 else (iso_ms(AT + timedelta(seconds=number)), 43.55 + number * 4e-5, 7.01)
        db.conn.execute(FRAME, (f"r1-{number:06d}", *place, file))
    db.close()
    return folder


def test_each_placed_photo_is_written_and_what_is_left_out_is_counted(state, tmp_path):
    done = export_images(state, tmp_path / "out")
    assert (done.images, done.rounds, done.left_out) == (2, 1, {"no_photo": 1, "no_place": 1})
    assert done.in_words() == "2 photos of 1 rounds, 1 left out: no_photo, 1 left out: no_place"
    written = sorted((tmp_path / "out").rglob("*.*"))
    assert [file.relative_to(tmp_path / "out").as_posix() for file in written] == ["r1/000001.jpg", "r1/000002.jpg"]
    stored = (state / "frames/r1/000001.jpg").read_bytes()
    assert written[0].read_bytes().endswith(stored[2:]), "not encoded again"
    with Image.open(written[0]) as image:
        assert geotag_of(image.getexif()).taken_at == AT + timedelta(seconds=1)
        assert image.getpixel((0, 0)) == Image.open(io.BytesIO(stored)).getpixel((0, 0))


def test_a_folder_that_holds_something_is_not_written_to(state, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(ExportRefused, match="is not an empty folder"):
        export_images(state, tmp_path / "out")
    with pytest.raises(ExportRefused, match="no such file"):
        export_images(tmp_path, tmp_path / "elsewhere")
