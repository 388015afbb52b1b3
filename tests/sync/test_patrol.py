"""The patrol log: what of a day was driven, photographed and not, by street, as CSV that proves itself and as PDF."""

import json
from contextlib import closing
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.streets import read_streets
from provisioning.settings import Unit
from sync.command import main
from sync.database import open_database, transaction
from sync.event import iso
from sync.panel.words import all_words
from sync.patrol import Frame, Missing, share, stretches_of
from sync.patrol_chain import COLUMNS, ChainBroken, chain_of, check_csv, csv_of
from sync.patrol_pdf import pdf_of
from sync.patrol_read import PatrolRefused, day_of, read_day
from sync.patrol_words import parts_of, summary

DAY = date(2026, 5, 4)
NOON = day_of(DAY)[0] + timedelta(hours=12)
UNIT = Unit("cannes", "car-07")
METRE_DEG = 1 / 111_320.0
WORDS = all_words()


@pytest.fixture
def streets(tmp_path):
    """Two streets one behind the other, to the north."""
    lines = [("rue d'Antibes", 0.0, 100.0), ("boulevard Carnot", 100.0, 300.0)]
    features = [
        {
            "type": "Feature",
            "properties": {"nom": name},
            "geometry": {"type": "LineString", "coordinates": [[7.0, 43.5 + metres * METRE_DEG] for metres in (begin, end)]},
        }
        for name, begin, end in lines
    ]
    file = tmp_path / "streets.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return file


@pytest.fixture
def state(tmp_path):
    """A round of 200 m to the north, of which 40 m are missing, with a hazard; a pause, and a round of the day before."""
    with closing(open_database(tmp_path / "ronde.db")) as db, transaction(db):
        put_round(db, "0badcafe-1", NOON - timedelta(days=1), 20)
        put_round(db, "0badcafe-2", NOON, 51, missing=[(80.0, 24.0, "no_fix"), (120.0, 16.0, "hiding_failed")])
        db.conn.execute(
            "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id, "
            "seen_at, note) "
            "VALUES ('0badcafe-2-f1000000', '0badcafe-2', 'hazard', 1.0, 43.5, 7.0, 60.0, 3, '0badcafe-2-000003', ?, ?)",
            [iso(NOON + timedelta(seconds=5)), '=cmd|" /C calc"!A0, « œuf »'],
        )
        for kind, minutes in (("pause", 30), ("resume", 45), ("pause", 600)):
            at = iso(NOON + timedelta(minutes=minutes))
            db.conn.execute("INSERT INTO request (kind, made_at, taken_at) VALUES (?, ?, ?)", [kind, at, at])
    return tmp_path


def put_round(db, round_id, began_at, frames, missing=()):
    times = [iso(began_at + timedelta(seconds=n / 2)) for n in range(frames)]
    db.conn.execute(
        "INSERT INTO round (id, started_at, ended_at, software, models, settings) VALUES (?, ?, ?, '1', '{}', '{}')",
        [round_id, times[0], times[-1]],
    )
    for n, at in enumerate(times):
        if not any(begin < 4.0 * n < begin + length for begin, length, _ in missing):
            db.conn.execute(
                "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, heading_deg, "
                "odometer_m, position_source, sha256, hidden) "
                "VALUES (?, ?, ?, 'gnss', ?, 7.0, 3.0, 0.0, ?, 'between_fixes', ?, 0)",
                [f"{round_id}-{n:06d}", round_id, at, 43.5 + 4.0 * n * METRE_DEG, 4.0 * n, f"{n:064x}"],
            )
    for gap in missing:
        db.conn.execute("INSERT INTO gap (round_id, odometer_m, length_m, reason) VALUES (?, ?, ?, ?)", [round_id, *gap])
    for n in range(2):
        values = [round_id, n, n * 100.0, n * 100.0 + 100.0, times[0], times[-1], "[]"]
        db.conn.execute(
            "INSERT INTO track (round_id, n, from_m, to_m, from_at, to_at, points) VALUES (?, ?, ?, ?, ?, ?, ?)", values
        )


def test_each_street_says_what_was_photographed_and_what_was_not_and_why(state, streets):
    day = read_day(state / "ronde.db", UNIT, DAY, read_streets(streets))
    (drive,) = day.drives
    assert (drive.length_m, drive.photographed_m, drive.photos) == (200.0, 160.0, 51 - 5 - 3)
    assert dict(drive.missing) == {"no_fix": 24.0, "hiding_failed": 16.0}
    first, second = day.streets
    assert (first.name, second.name) == ("rue d'Antibes", "boulevard Carnot")
    assert first.driven_m + second.driven_m == 200.0
    assert first.driven_m == pytest.approx(100.0, abs=16.0), "the gap lies at the corner"
    assert dict(second.missing) | {"no_fix": 0} == {"hiding_failed": 16.0, "no_fix": 0}
    assert sum(street.missing.get("no_fix", 0.0) for street in day.streets) == 24.0
    assert drive.stretches[0].began_at == NOON.astimezone(timezone.utc)


def test_without_a_file_of_streets_the_track_says_where(state):
    day = read_day(state / "ronde.db", UNIT, DAY)
    (drive,) = day.drives
    assert [(each.street, each.from_m, each.to_m) for each in drive.stretches] == [(None, 0.0, 100.0), (None, 100.0, 200.0)]
    assert day.streets == []
    shown = {part.title: part.rows for part in parts_of(day, WORDS["fr"])}
    assert "43.50000, 7.00000 - 43.5007" in shown["Tronçons"][0][1]
    assert shown["Dangers signalés par le conducteur"][0][2] == '=cmd|" /C calc"!A0, « œuf »'
    assert [row[1] for row in shown["Pauses\N{NO-BREAK SPACE}: rien n\N{RIGHT SINGLE QUOTATION MARK}a été enregistré"]] == [
        f"{NOON + timedelta(minutes=45):%H:%M:%S}",
        "en cours",
    ]
    assert "0,2 km parcourus" in summary(day, WORDS["fr"])
    assert "(80%)" in shown["Tournées"][0][4].replace("\N{NARROW NO-BREAK SPACE}", "")


def test_a_day_has_its_own_rounds_and_another_has_none(state):
    assert [each.round_id for each in read_day(state / "ronde.db", UNIT, DAY - timedelta(days=1)).drives] == ["0badcafe-1"]
    empty = read_day(state / "ronde.db", UNIT, DAY + timedelta(days=9))
    assert empty.drives == []
    assert check_csv(csv_of(empty)).rounds == 0
    with pytest.raises(PatrolRefused, match="there is no such database"):
        read_day(state / "none.db", UNIT, DAY)


def test_the_csv_proves_that_no_line_was_touched(state, streets):
    text = csv_of(read_day(state / "ronde.db", UNIT, DAY, read_streets(streets)))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert check_csv(text).rounds == 1
    assert check_csv("\ufeff" + text) == check_csv(text)
    assert ",'=cmd" in text.replace('"', ""), "a spreadsheet must not take it for a formula"
    lines = text.split("\r\n")
    for number in range(1, len(lines) - 1):
        without = "\r\n".join(lines[:number] + lines[number + 1 :])
        with pytest.raises(ChainBroken):
            check_csv(without)
        twice = "\r\n".join([*lines[: number + 1], *lines[number:]])
        with pytest.raises(ChainBroken):
            check_csv(twice)
    for one, other in (("no_fix 24.0", "no_fix 2.0"), ("2026-05-04,", "2026-05-05,"), ("200.0", "201.0"), ("rue", "Rue")):
        assert one in text
        with pytest.raises(ChainBroken):
            check_csv(text.replace(one, other))


@given(st.data())
def test_any_other_character_in_the_csv_is_found(data):
    text = csv_of(_small())
    place = data.draw(st.integers(text.index("\r\n") + 2, len(text) - 3))
    other = data.draw(st.sampled_from("0123456789abcdef,.xé"))
    if other != text[place]:
        with pytest.raises(ChainBroken):
            check_csv(text[:place] + other + text[place + 1 :])


def _small():
    from sync.patrol import Day, Drive

    frames = [Frame(f"f{n}", 4.0 * n, (43.5, 7.0), datetime(2026, 5, 4, 9, tzinfo=timezone.utc), None) for n in range(5)]
    stretches = stretches_of([(0.0, "rue")], 16.0, frames, [Missing(4.0, 8.0, "disk")])
    drive = Drive("0badcafe-1", datetime(2026, 5, 4, 9, tzinfo=timezone.utc), None, 16.0, 5, "ab" * 32, 1, stretches)
    return Day("cannes", "car-07", DAY, [drive, drive])


def test_the_photos_are_part_of_the_chain_and_their_deletion_is_not(state):
    before = chain_of(read_day(state / "ronde.db", UNIT, DAY))
    with closing(open_database(state / "ronde.db")) as db:
        db.conn.execute("UPDATE frame SET file = NULL")
        assert chain_of(read_day(state / "ronde.db", UNIT, DAY)) == before, "a photo goes, its digest stays"
        db.conn.execute("UPDATE frame SET sha256 = 'ff' WHERE id = '0badcafe-2-000003'")
    assert chain_of(read_day(state / "ronde.db", UNIT, DAY)) != before


@given(
    gaps=st.lists(st.tuples(st.floats(0, 300), st.floats(0.1, 80)), max_size=5),
    cuts=st.lists(st.floats(0.0, 250.0), max_size=5, unique=True),
)
def test_pieces_add_up_to_the_whole(gaps, cuts):
    missing = [Missing(begin, length, f"r{n % 2}") for n, (begin, length) in enumerate(gaps)]
    pieces = stretches_of([(0.0, "a"), *((cut, "b") for cut in sorted(cuts) if cut > 0.0)], 250.0, [], missing)
    whole = stretches_of([(0.0, "a")], 250.0, [], missing)[0]
    short_m = 6.0  # pieces of less than a metre are none
    assert abs(sum(piece.driven_m for piece in pieces) - 250.0) <= short_m
    for reason, metres in whole.missing.items():
        assert abs(sum(piece.missing.get(reason, 0.0) for piece in pieces) - metres) <= short_m * len(missing)
    assert all(0.0 <= share(piece.photographed_m, piece.driven_m) <= 1.0 for piece in pieces)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pdf_is_the_same_each_time_and_says_the_digest(state, streets, language):
    day = read_day(state / "ronde.db", UNIT, DAY, read_streets(streets))
    made = pdf_of(day, WORDS[language])
    assert made.startswith(b"%PDF-")
    assert made == pdf_of(day, WORDS[language])
    assert pdf_of(read_day(state / "ronde.db", UNIT, DAY + timedelta(days=3)), WORDS[language]).startswith(b"%PDF-")


def test_the_command_writes_and_checks(state, streets, tmp_path, capsys):
    config = tmp_path / "ronde.toml"
    config.write_text(f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{state}"\n[grade]\nstreets = "{streets}"\n')
    common = ["patrol", "--config", str(config), "--day", "2026-05-04"]
    assert main(common) == 0
    assert "boulevard Carnot" in capsys.readouterr().out
    assert main([*common, "--out", str(tmp_path / "log.csv")]) == 0
    assert main([*common, "--to", "pdf", "--out", str(tmp_path / "log.pdf"), "--language", "en"]) == 0
    assert (tmp_path / "log.pdf").read_bytes().startswith(b"%PDF-")
    assert main(["patrol", "--check", str(tmp_path / "log.csv")]) == 0
    assert capsys.readouterr().out.startswith("whole: cannes/car-07, 2026-05-04, 1 rounds, ")
    (tmp_path / "log.csv").write_bytes((tmp_path / "log.csv").read_bytes().replace(b"24.0", b"14.0"))
    assert main(["patrol", "--check", str(tmp_path / "log.csv")]) == 3
    assert main([*common, "--to", "pdf"]) == 2
    assert main(["patrol", "--check", str(tmp_path / "none.csv")]) == 2
