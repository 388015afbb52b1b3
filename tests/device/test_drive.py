"""A recorded drive: read, or refused in one sentence."""

import json
import math
import shutil
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from device.drive import DriveRefused, read_drive
from device.earth import offset
from device.frame import FrameUnreadable

STARTED_AT = datetime(2026, 5, 4, 10, 0, 0, tzinfo=timezone.utc)
SPEED_MPS = 10.0
FIXES_S, FRAMES_S = 12, [0.5 * n for n in range(2, 20)]


def iso(second):
    return (STARTED_AT + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place(second):
    return offset(43.55, 7.01, 0.0, SPEED_MPS * second)


def tpv(second, **changes):
    latitude_deg, longitude_deg = place(second)
    message = {
        "class": "TPV",
        "device": "/dev/ttyACM0",
        "mode": 3,
        "time": iso(second),
        "lat": latitude_deg,
        "lon": longitude_deg,
    }
    message |= {"speed": SPEED_MPS, "track": 0.0, "eph": 6.0}
    return {key: value for key, value in {**message, **changes}.items() if value is not ...}


def write_fixes(folder, messages):
    others = [{"class": "VERSION", "release": "3.22"}, {"class": "DEVICES", "devices": []}, {"class": "SKY", "satellites": []}]
    (folder / "fixes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*others, *messages]))


def write_frames(folder, seconds, names=None):
    (folder / "frames").mkdir(exist_ok=True)
    lines = ["file,time"]
    for n, second in enumerate(seconds):
        name = names[n] if names else f"{n:04d}.jpg"
        Image.new("RGB", (32, 24), (10 * n % 256, 90, 90)).save(folder / "frames" / name)
        lines.append(f"{name},{iso(second)}")
    (folder / "frames.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    """A whole drive: twelve fixes, a frame each half second."""
    made = tmp_path / "drive"
    made.mkdir()
    write_fixes(made, [tpv(n) for n in range(FIXES_S)])
    write_frames(made, FRAMES_S)
    return made


def test_a_drive_is_read_on_its_own_axis_in_order(folder):
    drive = read_drive(folder)
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [float(n) for n in range(FIXES_S)]
    assert [arrived.arrival_boot_s for arrived in drive.fixes] == [float(n) for n in range(FIXES_S)]
    assert [exposure.shutter_boot_s for exposure in drive.exposures] == FRAMES_S
    assert [exposure.source for exposure in drive.exposures] == [f"{n:04d}.jpg" for n in range(len(FRAMES_S))]
    assert drive.started_at == STARTED_AT
    assert (drive.speed_source, drive.rejected, drive.unreadable) == ("doppler", {}, ())
    assert (drive.geometry, drive.geometry_source) == (None, "assumed")
    fix = drive.fixes[3].fix
    assert (fix.latitude_deg, fix.longitude_deg) == pytest.approx(place(3))
    assert (fix.speed_mps, fix.course_deg, fix.accuracy_m) == (SPEED_MPS, 0.0, 6.0)


def test_pictures_are_decoded_when_they_are_wanted(folder):
    drive = read_drive(folder)
    first = drive.exposures[0]
    assert first.read().shape == (24, 32, 3)
    (folder / "frames" / "0000.jpg").write_bytes(b"overwritten meanwhile")
    with pytest.raises(FrameUnreadable, match=r"0000\.jpg"):
        first.read()


def test_the_axis_begins_with_a_frame_where_that_comes_first(folder):
    write_frames(folder, [-3.25, 1.0, 2.0])
    drive = read_drive(folder)
    assert drive.started_at == STARTED_AT - timedelta(seconds=3.25)
    assert drive.exposures[0].shutter_boot_s == 0.0
    assert drive.fixes[0].fix.boot_s == 3.25


def test_frames_are_sorted_by_time_and_extra_columns_are_ignored(folder):
    lines = ["time,note,file", f"{iso(4)},late,0001.jpg", "", f"{iso(2)},early,0000.jpg"]
    (folder / "frames.csv").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert [exposure.source for exposure in read_drive(folder).exposures] == ["0000.jpg", "0001.jpg"]


def test_the_id_depends_on_fixes_names_and_times_alone(folder, tmp_path):
    digest = read_drive(folder).digest
    assert len(digest) == 12
    assert int(digest, 16) >= 0
    moved = tmp_path / "elsewhere" / "again"
    shutil.copytree(folder, moved)
    (moved / "notes.txt").write_text("nothing")
    assert read_drive(moved).digest == digest
    (moved / "frames" / "0003.jpg").write_bytes(b"")
    assert read_drive(moved).digest == digest
    write_fixes(moved, [tpv(n) for n in range(FIXES_S - 1)])
    fewer = read_drive(moved).digest
    write_fixes(moved, [tpv(n, lat=place(n)[0] + 1e-7) for n in range(FIXES_S)])
    shifted = read_drive(moved).digest
    write_fixes(moved, [tpv(n) for n in range(FIXES_S)])
    write_frames(moved, [*FRAMES_S[:-1], FRAMES_S[-1] + 0.001])
    later = read_drive(moved).digest
    assert len({digest, fewer, shifted, later}) == 4


def test_reports_go_through_the_gate_and_lines_that_are_none_are_counted(folder):
    messages = [tpv(n) for n in range(FIXES_S)]
    messages[4] = tpv(4, lat=95.0)
    messages[6] = tpv(6, mode=1)
    messages.insert(8, messages[7])
    write_fixes(folder, messages)
    with (folder / "fixes.jsonl").open("ab") as stream:
        stream.write(b'{"class":"TPV","mo\n\xff\xfe\n[1]\n' + b"x" * 100_000 + b"\n" + json.dumps(tpv(12)).encode())
    drive = read_drive(folder)
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12]
    assert drive.rejected == {"out_of_range": 1, "no_mode": 1, "time_not_newer": 1, "bad_line": 3, "long_line": 1}


@pytest.mark.parametrize("shift", [timedelta(weeks=-1024), timedelta(weeks=-2048), timedelta(days=7305)])
def test_dates_years_away_in_mid_drive_are_refused_and_the_order_is_kept(folder, shift):
    wrong = {5, 6, 7}
    times = {n: (STARTED_AT + timedelta(seconds=n) + shift).isoformat() for n in wrong}
    write_fixes(folder, [tpv(n, **({"time": times[n]} if n in wrong else {})) for n in range(FIXES_S)])
    drive = read_drive(folder)
    assert drive.rejected == {"time_jumped": 3}
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [n for n in range(FIXES_S) if n not in wrong]


def test_an_old_recording_is_a_recording(folder):
    ago = timedelta(days=6000)
    write_fixes(folder, [tpv(n, time=(STARTED_AT - ago + timedelta(seconds=n)).isoformat()) for n in range(FIXES_S)])
    listing = (folder / "frames.csv").read_text().replace("2026-05-04", f"{STARTED_AT - ago:%Y-%m-%d}")
    (folder / "frames.csv").write_text(listing)
    assert len(read_drive(folder).fixes) == FIXES_S


def test_without_any_speed_it_comes_from_the_positions_and_arrives_with_them(folder):
    write_fixes(folder, [tpv(n, speed=..., track=...) for n in range(FIXES_S)])
    drive = read_drive(folder)
    assert drive.speed_source == "positions"
    assert all(arrived.fix.speed_mps == pytest.approx(SPEED_MPS, abs=0.01) for arrived in drive.fixes)
    assert [arrived.arrival_boot_s for arrived in drive.fixes] == [*range(1, FIXES_S), FIXES_S - 1 + 2.5]


def test_the_fixes_may_be_a_receivers_raw_log(folder, nmea_report):
    (folder / "fixes.jsonl").unlink()
    cycles = [nmea_report(STARTED_AT + timedelta(seconds=n), *place(n), SPEED_MPS, 0.0) for n in range(FIXES_S)]
    (folder / "fixes.nmea").write_bytes(b"\xb5b\x01\x07$".join(cycles))
    drive = read_drive(folder)
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [float(n) for n in range(FIXES_S)]
    fix = drive.fixes[3].fix
    assert (fix.latitude_deg, fix.longitude_deg) == pytest.approx(place(3), abs=1e-7)
    assert (fix.speed_mps, fix.course_deg) == (pytest.approx(SPEED_MPS, abs=1e-3), 0.0)
    assert (drive.speed_source, drive.rejected) == ("doppler", {})


@pytest.mark.parametrize(("speed", "source"), [("<speed>10.0</speed><course>0.0</course>", "doppler"), ("", "positions")])
def test_the_fixes_may_be_a_gpx_track(folder, speed, source):
    (folder / "fixes.jsonl").unlink()
    points = [f'<trkpt lat="{place(n)[0]}" lon="{place(n)[1]}"><time>{iso(n)}</time>{speed}</trkpt>' for n in range(FIXES_S)]
    document = f'<gpx version="1.0" creator="a"><trk><trkseg>{"".join(points)}</trkseg></trk></gpx>'
    (folder / "track.gpx").write_text(document)
    drive = read_drive(folder)
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [float(n) for n in range(FIXES_S)]
    assert [arrived.fix.speed_mps for arrived in drive.fixes] == pytest.approx([SPEED_MPS] * FIXES_S)
    assert drive.speed_source == source


def test_a_date_before_civil_positions_were_of_use_is_refused(folder):
    lost = timedelta(weeks=1024)
    write_fixes(folder, [tpv(n, time=(datetime(2019, 4, 7, tzinfo=timezone.utc) - lost).isoformat()) for n in range(3)])
    with pytest.raises(DriveRefused, match=r"every report was refused \(time_before_build 3\)"):
        read_drive(folder)


def test_the_geometry_of_the_drive(folder):
    (folder / "drive.toml").write_text('note = "a rainy day"\n[camera]\nheight_m = 1.2\nhfov_deg = 90\n')
    drive = read_drive(folder)
    assert drive.geometry_source == "drive"
    assert drive.geometry == {"height_m": 1.2, "pitch_deg": 6.0, "yaw_deg": 0.0, "hfov_deg": 90.0, "k1": 0.0}
    (folder / "drive.toml").write_text('note = "no camera"\n')
    assert read_drive(folder).geometry_source == "assumed"


def test_frames_that_cannot_be_read_are_left_out_and_named(folder):
    (folder / "frames" / "0002.jpg").write_bytes(b"")
    whole = (folder / "frames" / "0005.jpg").read_bytes()
    (folder / "frames" / "0005.jpg").write_bytes(whole[:-20])
    (folder / "frames" / "0007.jpg").write_bytes(b"a text")
    drive = read_drive(folder)
    assert len(drive.exposures) == len(FRAMES_S) - 3
    assert [name for name, _ in drive.unreadable] == ["0002.jpg", "0005.jpg", "0007.jpg"]
    assert [reason for _, reason in drive.unreadable] == [
        "the file is empty",
        "the file is cut off: its end is missing",
        "it is neither JPEG nor PNG, or its header is broken",
    ]


def test_frames_outside_the_track_stay_in_the_drive(folder):
    write_frames(folder, [-5.0, 3.0, 400.0])
    assert len(read_drive(folder).exposures) == 3


def relist(folder, change):
    """Change the lines of frames.csv."""
    listing = folder / "frames.csv"
    listing.write_text("\n".join(change(listing.read_text().splitlines())))


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def break_all(folder):
    for file in (folder / "frames").iterdir():
        file.write_bytes(b"")


SPOILS = {
    "no folder": shutil.rmtree,
    "empty folder": empty,
    "no fixes.jsonl": lambda folder: (folder / "fixes.jsonl").unlink(),
    "no nmea": lambda folder: (folder / "fixes.jsonl").rename(folder / "fixes.nmea"),
    "no gpx": lambda folder: (folder / "fixes.jsonl").rename(folder / "track.gpx"),
    "two tracks": lambda folder: shutil.copy(folder / "fixes.jsonl", folder / "fixes.nmea"),
    "video": lambda folder: (folder / "frames.csv").rename(folder / "video.mp4"),
    "no frames.csv": lambda folder: (folder / "frames.csv").unlink(),
    "no frames/": lambda folder: shutil.rmtree(folder / "frames"),
    "no TPV": lambda folder: write_fixes(folder, []),
    "no fix": lambda folder: write_fixes(folder, [tpv(n, mode=1) for n in range(9)] + [tpv(9, lat=95.0)]),
    "no line": lambda folder: relist(folder, lambda lines: lines[:1]),
    "empty listing": lambda folder: relist(folder, lambda _: []),
    "header": lambda folder: relist(folder, lambda lines: ["name,when", *lines[1:]]),
    "bad time": lambda folder: relist(folder, lambda lines: [*lines[:16], f"0015.jpg,{iso(8).replace('Z', '')}"]),
    "short line": lambda folder: relist(folder, lambda lines: [*lines[:3], "0002.jpg"]),
    "twice": lambda folder: relist(folder, lambda lines: [*lines[:4], lines[3]]),
    "missing": lambda folder: (folder / "frames" / "0004.jpg").unlink(),
    "not text": lambda folder: (folder / "frames.csv").write_bytes(b"file,time\n\xff\xfe\xfa,2026\n"),
    "no overlap": lambda folder: write_frames(folder, [3600.0, 3601.0]),
    "all broken": break_all,
    "bad toml": lambda folder: (folder / "drive.toml").write_text("[camera\n"),
    "unknown key": lambda folder: (folder / "drive.toml").write_text("[camera]\ntilt_deg = 1.2\n"),
    "out of range": lambda folder: (folder / "drive.toml").write_text("[camera]\nheight_m = 120\n"),
}
"""Ways to break a whole drive."""


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("no folder", "drive: there is no such folder"),
        ("empty folder", "drive is no drive: it holds neither fixes.jsonl with frames.csv nor geotagged JPEGs"),
        ("no fixes.jsonl", "fixes.jsonl is missing"),
        ("no nmea", "drive has no fixes: no report at all"),
        ("no gpx", "track.gpx is no GPX: Error parsing XML"),
        ("two tracks", "drive holds fixes.jsonl and fixes.nmea: one of them, please"),
        ("video", "frames.csv is missing, and video.mp4 is not supported by this version"),
        ("no frames.csv", "frames.csv is missing"),
        ("no frames/", "frames is missing: the folder of the files that frames.csv lists"),
        ("no TPV", "drive has no fixes: no report at all"),
        ("no fix", "drive has no fixes: every report was refused (no_mode 9, out_of_range 1)"),
        ("no line", "frames.csv lists no frame"),
        ("empty listing", "frames.csv line 1 is ''; wanted: file,time"),
        ("header", "frames.csv line 1 is 'name,when'; wanted: file,time"),
        ("bad time", "frames.csv line 17 has the time '2026-05-04T10:00:08.000'; wanted: ISO 8601 UTC with its Z"),
        ("short line", "frames.csv line 4 has 1 column(s); wanted: file,time"),
        ("twice", "frames.csv line 5 lists '0002.jpg' a second time"),
        ("missing", "frames.csv line 6 names '0004.jpg', which is not in frames/"),
        ("not text", "frames.csv cannot be read"),
        ("no overlap", "drive: no frame was taken while there were fixes: frames from 2026-05-04T11:00:00.000Z to"),
        ("all broken", "drive: none of its 18 frames can be read (0000.jpg: the file is empty)"),
        ("bad toml", "drive.toml is no TOML"),
        ("unknown key", "drive.toml: [camera] tilt_deg is not known; known here:"),
        ("out of range", "drive.toml: [camera] height_m is 120; allowed: a number from 0.3 to 5"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_file_and_line(folder, what, sentence):
    SPOILS[what](folder)
    with pytest.raises(DriveRefused) as refusal:
        read_drive(folder)
    assert sentence in str(refusal.value)
    assert str(folder.parent) in str(refusal.value)
    assert "\n" not in str(refusal.value).strip()


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:x.jpg", "a\\b.jpg", "", "..", "x\0.jpg"]
)
def test_a_name_that_leaves_the_folder_is_refused(folder, name):
    (folder / "x.jpg").write_bytes((folder / "frames" / "0000.jpg").read_bytes())
    (folder / "frames.csv").write_text(f"file,time\n0000.jpg,{iso(1)}\n{name},{iso(2)}\n")
    with pytest.raises(DriveRefused, match=r"frames\.csv (line 3 names .* no file below frames/|cannot be read)"):
        read_drive(folder)


def test_frames_in_folders_below_are_inside(folder):
    (folder / "frames" / "left").mkdir()
    (folder / "frames" / "0000.jpg").rename(folder / "frames" / "left" / "a.jpg")
    (folder / "frames.csv").write_text(f"file,time\nleft/a.jpg,{iso(1)}\n")
    assert read_drive(folder).exposures[0].source == "left/a.jpg"


def geotagged(file, second, *, where=None):
    """A JPEG as a phone writes it."""
    exif = Image.Exif()
    if where is not None:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        for degrees, tag, letters in ((where[0], 2, "NS"), (where[1], 4, "EW")):
            whole, rest = divmod(abs(degrees), 1.0)
            minutes = rest * 60.0
            gps[tag] = (whole, float(int(minutes)), minutes % 1.0 * 60.0)
            gps[tag - 1] = letters[degrees < 0]
    taken_at = STARTED_AT + timedelta(seconds=second)
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.DateTimeOriginal] = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    camera[ExifTags.Base.SubsecTimeOriginal] = f"{taken_at.microsecond // 1000:03d}"
    camera[ExifTags.Base.OffsetTimeOriginal] = "+00:00"
    Image.new("RGB", (32, 24)).save(file, exif=exif)


@pytest.mark.parametrize("below", ["", "frames"])
def test_a_folder_of_geotagged_photos_is_a_drive(tmp_path, below):
    inside = tmp_path / below
    inside.mkdir(exist_ok=True)
    for n in range(10):
        # Names in another order than times.
        geotagged(inside / f"{9 - n}.JPG", n * 0.9, where=place(n * 0.9))
        (inside / f"{n}.json").write_text("{}")
    drive = read_drive(tmp_path)
    assert drive.speed_source == "positions"
    assert [exposure.source for exposure in drive.exposures] == [f"{9 - n}.JPG" for n in range(10)]
    assert [round(arrived.fix.speed_mps, 1) for arrived in drive.fixes] == [SPEED_MPS] * 10
    assert [arrived.fix.boot_s for arrived in drive.fixes] == [exposure.shutter_boot_s for exposure in drive.exposures]
    assert all(earlier.arrival_boot_s == later.fix.boot_s for earlier, later in pairwise(drive.fixes))


def test_photos_that_do_not_say_where_or_when_are_named_and_left_out(tmp_path):
    for n in range(6):
        geotagged(tmp_path / f"{n}.jpg", n, where=place(n))
    geotagged(tmp_path / "6.jpg", 6)
    geotagged(tmp_path / "7.jpg", 7, where=place(7))
    (tmp_path / "8.jpg").write_bytes(b"")
    geotagged(tmp_path / "9.jpg", 9, where=(0.0, 0.0))
    drive = read_drive(tmp_path)
    assert [name for name, _ in drive.unreadable] == ["6.jpg", "8.jpg"]
    assert "its EXIF holds no GPS position" in dict(drive.unreadable)["6.jpg"]
    assert len(drive.fixes) == 7
    assert drive.rejected == {"position_zero": 1}
    assert len(drive.exposures) == 8


def test_photos_none_of_which_says_where_are_no_drive(tmp_path):
    for n in range(3):
        geotagged(tmp_path / f"{n}.jpg", n)
    with pytest.raises(DriveRefused, match=r"has no fixes: none of its 3 JPEGs says where and when .*0\.jpg"):
        read_drive(tmp_path)


def test_the_recorded_drive_of_a_dashcam(ronde_data):
    folder = ronde_data / "drive-sf"
    if not folder.is_dir():
        pytest.skip(f"no recorded drive at {folder}")
    drive = read_drive(folder)
    assert (len(drive.fixes), len(drive.exposures), drive.unreadable, drive.rejected) == (58, 58, (), {})
    told = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    for arrived, exposure, truth in zip(drive.fixes, drive.exposures, told, strict=True):
        assert (arrived.fix.latitude_deg, arrived.fix.longitude_deg) == pytest.approx((truth["lat"], truth["lon"]), abs=1e-8)
        assert arrived.fix.taken_at.timestamp() == pytest.approx(truth["time"] / 1000, abs=1e-3)
        assert exposure.shutter_boot_s == arrived.fix.boot_s
        assert 0 < arrived.arrival_boot_s - arrived.fix.boot_s <= 2.5
    gaps = [later.shutter_boot_s - earlier.shutter_boot_s for earlier, later in pairwise(drive.exposures)]
    assert max(gaps) == pytest.approx(37.8, abs=0.1)
    assert gaps.index(max(gaps)) == 31
    assert all(3 < arrived.fix.speed_mps < 15 for arrived in drive.fixes)
    assert drive.exposures[0].read().shape == (1024, 2028, 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.text(max_size=60), st.sampled_from([f"0000.jpg,{iso(3)}", "0001.jpg,", ",,", '"', f'"0001.jpg",{iso(4)}']))
    )
)
def test_whatever_the_listing_holds_it_is_read_or_refused(folder, lines):
    (folder / "frames.csv").write_text("\n".join(["file,time", *lines]), encoding="utf-8", errors="surrogatepass")
    try:
        drive = read_drive(folder)
    except DriveRefused:
        return
    assert all(math.isfinite(exposure.shutter_boot_s) for exposure in drive.exposures)
