"""Pictures of findings: what is cut, that it is small, that each is made once, and that it arrives."""

import hashlib
import io
import json
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from provisioning.settings import Backend, Unit
from sync.album import Album
from sync.database import open_database, transaction
from sync.delivery import deliver_once
from sync.event import headers, schema
from sync.evidence import LARGEST_BYTES, CropRefused, around, cut
from sync.evidence_wanted import Cutter, Wish, want
from sync.failure import DatabaseFailed
from sync.rows import insert
from sync.salvage import Salvage

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
DEAF = Backend("deaf", "mqtt://127.0.0.1:1884", None, None, None, ("finding",))
ROUND = "0123abcd-1"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)


def noise(width=1456, height=1088, seed=1):
    """The picture that compresses worst."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def jpeg(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@settings(max_examples=300, deadline=None)
@given(
    left=st.floats(-50, 1500), top=st.floats(-50, 1100), width=st.floats(0.5, 1600), height=st.floats(0.5, 1200),
)  # fmt: skip
def test_a_crop_lies_in_its_photo_and_shows_what_was_found_with_a_margin(left, top, width, height):
    box = (left, top, left + width, top + height)
    try:
        x, y, right, bottom = around(box, 1456, 1088)
    except CropRefused:
        assert right_of(box) <= 0 or left >= 1456 or bottom_of(box) <= 0 or top >= 1088
        return
    assert 0 <= x < right <= 1456
    assert 0 <= y < bottom <= 1088
    assert right - x >= 320
    assert bottom - y >= 240
    assert x <= max(0, left) + 1
    assert right >= min(1456, left + width) - 1
    if left > 100 and left + width < 1300 and width > 40:
        assert right - x >= min(1456, 1.5 * width)


def right_of(box):
    return box[2]


def bottom_of(box):
    return box[3]


@pytest.mark.parametrize("box", [(0, 0, 1456, 1088), (700, 500, 740, 530), (1400, 1000, 1456, 1088)])
def test_even_noise_fits_into_thirty_kilobytes(box):
    crop = cut(jpeg(noise()), box)
    assert len(crop) <= LARGEST_BYTES
    with Image.open(io.BytesIO(crop)) as opened:
        assert opened.format == "JPEG"
        assert max(opened.size) <= 640
        assert min(opened.size) >= 100


def test_a_crop_says_nothing_but_its_pixels_and_shows_what_lies_in_the_box():
    pixels = np.full((1088, 1456, 3), 60, np.uint8)
    pixels[600:700, 900:1000] = (200, 30, 30)
    exif = Image.Exif()
    exif[0x010E] = "a place"
    crop = cut(jpeg(pixels, exif=exif.tobytes(), comment=b"where it was"), (900, 600, 1000, 700))
    assert b"place" not in crop
    assert b"where" not in crop
    with Image.open(io.BytesIO(crop)) as opened:
        assert not opened.getexif()
        seen = np.asarray(opened)
    assert (seen[..., 0] > 150).sum() == pytest.approx(100 * 100, rel=0.1)


@pytest.mark.parametrize("photo", [b"", b"\xff\xd8", jpeg(noise(64, 64))[:700], b"GIF89a" + bytes(50)])
def test_what_is_no_photo_is_refused(photo):
    with pytest.raises(CropRefused):
        cut(photo, (0, 0, 10, 10))


class Unitful:
    """A unit's database and photos, with a finding in one of them."""

    def __init__(self, state):
        self.state = state
        self.db = open_database(state / "ronde.db")
        with transaction(self.db):
            insert(self.db, "round", id=ROUND, software="", models="{}", settings="{}", ended_at="2026-03-04T05:10:00.000Z")

    def photo(self, n, content=None):
        content = jpeg(noise(seed=n)) if content is None else content
        file = self.state / f"frames/{ROUND}/{n:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        with transaction(self.db):
            insert(
                self.db, "frame", id=f"{ROUND}-{n:06d}", round_id=ROUND, time_source="gnss", odometer_m=4.0 * n,
                position_source="between_fixes", file=str(file.relative_to(self.state)),
                sha256=hashlib.sha256(content).hexdigest(), hidden=0,
            )  # fmt: skip
        return file

    def finding(self, n):
        id_ = f"{ROUND}-f{n}"
        with transaction(self.db):
            insert(
                self.db, "finding", id=id_, round_id=ROUND, label="pothole", score=0.5, latitude_deg=43, longitude_deg=7,
                uncertainty_m=2, frames=1, best_frame_id=f"{ROUND}-{n:06d}",
            )  # fmt: skip
            want(self.db, Wish(id_, ROUND, n, f"{ROUND}-{n:06d}", (700.0, 500.0, 800.0, 600.0), AT))
        return id_

    def waiting(self):
        return self.db.conn.execute("SELECT stream, about, payload, headers, priority FROM outbox ORDER BY seq").fetchall()

    def wanted(self):
        return self.db.conn.execute("SELECT count(*) FROM evidence").fetchone()[0]

    def unconfirmed(self, id_):
        return self.db.conn.execute("SELECT unconfirmed FROM finding WHERE id = ?", [id_]).fetchone()[0]


@pytest.fixture
def unit(tmp_path):
    made = Unitful(tmp_path)
    yield made
    made.db.close()


def test_a_picture_is_made_once_with_its_headers_and_waits_like_any_event(unit):
    unit.photo(1)
    id_ = unit.finding(1)
    cutter = Cutter(unit.db, unit.state, UNIT, (ROADS, DEAF))
    assert (cutter.cut(), cutter.cut()) == (1, 0)
    [(stream, about, payload, told, priority)] = unit.waiting()
    assert (stream, about, priority) == ("evidence", id_, 5)
    assert payload.startswith(b"\xff\xd8")
    assert len(payload) <= LARGEST_BYTES
    told = json.loads(told)
    assert set(told) == set(schema("evidence")["required"])
    assert told["subject"] == id_
    assert told["time"] == "2026-03-04T05:06:07.000Z"
    assert unit.unconfirmed(id_) == 1


def test_a_photo_stays_until_its_picture_is_cut_and_confirmed(unit):
    files = [unit.photo(n) for n in (1, 2, 3)]
    unit.finding(2)
    album = Album(unit.db, unit.state)
    assert [each.frame_id[-1] for each in album.confirmed(9)] == ["1", "3"]
    assert [each.frame_id[-1] for each in album.every_second()[1]] == ["3"]
    Cutter(unit.db, unit.state, UNIT, (ROADS,)).cut()
    assert [each.frame_id[-1] for each in album.confirmed(9)] == ["1", "3"]  # the picture waits for its confirmation
    assert [each.frame_id[-1] for each in album.every_second()[1]] == ["2"]
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("harm", ["gone", "other", "cut off"])
def test_without_its_photo_a_finding_goes_without_a_picture_and_says_so(unit, harm, caplog):
    file = unit.photo(1)
    id_ = unit.finding(1)
    match harm:
        case "gone":
            file.unlink()
        case "other":
            file.write_bytes(jpeg(noise(seed=9)))
        case "cut off":
            file.write_bytes(file.read_bytes()[:5000])
    Cutter(unit.db, unit.state, UNIT, (ROADS,)).cut()
    assert unit.waiting() == []
    assert (unit.wanted(), unit.unconfirmed(id_)) == (0, 0)
    assert [each.getMessage() for each in caplog.records] == ["evidence_left_out"]


def test_a_failed_commit_leaves_the_picture_wanted(unit):
    unit.photo(1)
    unit.finding(1)
    unit.db.conn.execute(
        "CREATE TEMP TRIGGER full BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    cutter = Cutter(unit.db, unit.state, UNIT, (ROADS,))
    with pytest.raises(DatabaseFailed):
        cutter.cut()
    assert (unit.wanted(), unit.waiting()) == (1, [])
    unit.db.conn.execute("DROP TRIGGER full")
    cutter.cut()
    assert (unit.wanted(), len(unit.waiting())) == (0, 1)


def test_nobody_wants_pictures_any_more(unit):
    unit.photo(1)
    id_ = unit.finding(1)
    assert Cutter(unit.db, unit.state, UNIT, (DEAF,)).cut() == 1
    assert (unit.wanted(), unit.waiting(), unit.unconfirmed(id_)) == (0, [], 0)


def test_a_wish_and_a_picture_on_its_way_survive_a_damaged_database(unit, tmp_path):
    for n in (1, 2):
        unit.photo(n)
        unit.finding(n)
    Cutter(unit.db, unit.state, UNIT, (ROADS,)).cut(1)
    [row] = unit.waiting()
    unit.db.close()
    aside = tmp_path / "ronde.db.aside-1"
    (tmp_path / "ronde.db").rename(aside)
    unit.db = open_database(tmp_path / "ronde.db")
    salvage = Salvage(unit.db, aside, tmp_path)
    assert salvage.run(60).done
    salvage.close()
    assert unit.waiting() == [row]
    assert unit.wanted() == 1


def test_pictures_arrive_after_their_findings_and_belong_to_them(car, town, rows):
    unit = Unitful(car.unit.state)
    for n in (1, 2, 3):
        unit.photo(n)
        unit.finding(n)
    unit.db.close()
    car.put(1, 3)
    with town.open():
        assert deliver_once(car.settings).done
    stored = rows(town.file, "SELECT type, subject, data FROM event ORDER BY seq")
    pictures = [(subject, data) for type_, subject, data in stored if type_ == "ronde.evidence.v1"]
    assert [subject for subject, _ in pictures] == [f"{ROUND}-f{n}" for n in (1, 2, 3)]
    assert all(data.startswith(b"\xff\xd8") for _, data in pictures)
    in_order = [type_ for type_, *_ in stored if type_ != "ronde.birth.v1"]
    assert in_order == ["ronde.finding.v1"] * 3 + ["ronde.evidence.v1"] * 3
    shown = rows(town.file, "SELECT finding_id FROM evidence ORDER BY seq")
    assert [id_ for (id_,) in shown] == [f"{ROUND}-f{n}" for n in (1, 2, 3)]


def test_a_picture_without_a_subject_is_a_bug(finding_event):
    event = finding_event(UNIT, 1)
    assert headers(event, 7)["sequence"] == "000000000007"
    with pytest.raises(ValueError, match="what it shows"):
        headers(type(event)(UNIT, "evidence", "1", AT, {}, None, b"\xff\xd8"), 1)
