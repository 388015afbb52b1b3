"""What a fleet's folder signs is what its units believe: commands and permissions, from the command line to the gate."""

import json
import shutil
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from provisioning.broker_files import BrokerHome
from provisioning.card_seed import Seed, first_run, user_data
from provisioning.certificate import certificate_pem, key_pem, make_key
from provisioning.fleet import make_fleet
from provisioning.permit import beside
from provisioning.settings import Unit
from provisioning.signed import public_key
from sync.authorised import Allowed, Gate
from sync.broker import Received, Session, address
from sync.command import main
from sync.commands import check, read_command
from sync.faults.child import Child
from sync.faults.ground import ground, until
from sync.faults.need import MOSQUITTO
from sync.mqtt import PahoBroker

AREA = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "la Croisette"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[7.0, 43.54, 3], [7.04, 43.54, 3], [7.04, 43.56, 3], [7.0, 43.54, 3]]],
            },
        }
    ],
}
UNIT = Unit("cannes", "car-07")


class Here:
    latitude_deg, longitude_deg, accuracy_m = 43.545, 7.035, 3.0


@pytest.fixture
def area(tmp_path):
    file = tmp_path / "area.geojson"
    file.write_text(json.dumps(AREA))
    return file


@pytest.fixture
def authorise(fleet, area):
    def call(*more, unit="cannes/car-07"):
        begins, ends = datetime.now(timezone.utc) - timedelta(days=1), datetime.now(timezone.utc) + timedelta(days=1)
        times = ["--from", begins.isoformat(), "--to", ends.isoformat()]
        words = ["--authority", "Ville de Cannes", "--legal-reference", "arrêté 2026-114", "--area", str(area), *times]
        return main(["provision", "authorise", unit, "--folder", str(fleet.folder), *words, *more])

    return call


class OnTheUnit:
    """Where the files are brought to."""

    def __init__(self, folder):
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir(parents=True)
        self.state.mkdir()
        self.gate = Gate(Unit("cannes", "car-07", self.state), self.etc)

    def bring(self, file, name):
        shutil.copy(file, self.etc / name)

    def says(self):
        answer = self.gate.allowed(Here, datetime.now(timezone.utc), "gnss")
        return answer.authorisation.number if isinstance(answer, Allowed) else answer.code


@pytest.fixture
def on_the_unit(tmp_path):
    return OnTheUnit(tmp_path / "unit")


def test_a_permission_is_believed_until_it_is_withdrawn(fleet, authorise, on_the_unit, capsys):
    assert authorise("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["number"], told["units"], told["events"]) == (1, ["cannes/car-07"], ["outbreak_of_fire"])
    on_the_unit.bring(told["permission"], "authorisation.json")
    on_the_unit.bring(fleet.folder / "town.pem", "town.pem")
    assert on_the_unit.says() == 1
    assert authorise(unit="cannes/*") == 0
    on_the_unit.bring(fleet.folder / "permissions" / "000002.json", "authorisation.json")
    assert on_the_unit.says() == 2
    assert main(["provision", "authorise", "cannes/*", "--folder", str(fleet.folder), "--withdraw", "2", "--json"]) == 0
    capsys.readouterr()
    on_the_unit.bring(fleet.folder / "permissions" / "withdrawal-000002.json", "withdrawal.json")
    assert on_the_unit.says() == "withdrawn"
    assert authorise() == 0, "a number is never given twice"
    on_the_unit.bring(fleet.folder / "permissions" / "000003.json", "authorisation.json")
    assert on_the_unit.says() == 3


def test_the_authority_may_have_a_key_of_its_own(fleet, authorise, on_the_unit, tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "mayor.key").write_bytes(key_pem(key))
    assert authorise("--key", str(tmp_path / "mayor.key")) == 0
    assert not (fleet.folder / "town.key").exists()
    on_the_unit.bring(fleet.folder / "permissions" / "000001.json", "authorisation.json")
    on_the_unit.bring(fleet.folder / "command.pem", "town.pem")
    assert on_the_unit.says() == "forged", "who may command may not permit"


def test_a_card_brings_a_permission_to_the_unit(fleet, authorise, on_the_unit):
    assert main(["provision", "unit", "cannes/car-07", "--folder", str(fleet.folder)]) == 0
    assert authorise() == 0
    files = beside(fleet.folder / "cards" / "car-07")
    assert set(files) == {"town.pem", "authorisation.json"}
    seed = Seed("cannes/car-07", "i", "h", "[unit]\n", "FR", None, None, "none", None, beside=files)
    for each in json.loads(user_data(seed).partition(b"\n")[2])["write_files"]:
        if Path(each["path"]).name in files:
            assert (each["path"], each["permissions"]) == (f"/etc/ronde/{Path(each['path']).name}", "0644")
            (on_the_unit.etc / Path(each["path"]).name).write_text(each["content"])
    assert on_the_unit.says() == 1
    assert b"/etc/ronde/authorisation.json" in first_run(seed)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--event", "crowd_density"], "is not looked for: it is about persons"),
        (["--event", "dancing"], "is no event"),
        (["--to", "2020-01-01T00:00Z"], "has to end after it begins"),
        (["--to", "2026-05-12"], "is no time with its zone"),
        (["--to", "tomorrow"], "is no time with its zone"),
        (["--area", "nowhere.json"], "cannot be read"),
        (["--authority", ""], "authority is no text"),
        (["--key", "nowhere.key"], "cannot be read"),
        (["--withdraw", "1"], "there is no permission 1"),
    ],
)
def test_what_a_unit_would_refuse_is_not_signed(authorise, fleet, more, said, capsys):
    assert authorise(*more) == 2
    assert said in capsys.readouterr().err
    assert list(fleet.folder.glob("permissions/*.json")) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"type": "Point", "coordinates": [7, 43]}', "Point is no polygon"),
        ("[]", "is no GeoJSON with polygons"),
        ("{", "is no GeoJSON with polygons"),
        ('{"type": "FeatureCollection", "features": []}', "holds no polygon"),
        ('{"type": "Polygon", "coordinates": [[[7, 43], [8, 43]]]}', "has a ring that is not closed"),
    ],
)
def test_an_area_that_is_none_is_not_signed(authorise, area, content, said, capsys):
    area.write_text(content)
    assert authorise() == 2
    assert said in capsys.readouterr().err


def test_a_permission_needs_all_of_it(fleet, capsys):
    assert main(["provision", "authorise", "cannes/car-07", "--folder", str(fleet.folder)]) == 2
    assert "needs --authority, --legal-reference, --area, --from, --to" in capsys.readouterr().err


def command(fleet, *words):
    return main(["provision", "command", "cannes/car-07", *words, "--folder", str(fleet.folder)])


def test_a_command_is_numbered_signed_and_obeyed(fleet, capsys):
    key = public_key(fleet.folder / "command.pem")
    made = []
    for words in (["pause"], ["send_evidence", "--finding", "0123abcd-1-f3"], ["erase", "--sequence", "40"], ["resume"]):
        assert command(fleet, *words) == 0
        made.append(read_command(capsys.readouterr().out.encode(), key))
    assert [(each.sequence, each.do) for each in made] == [(1, "pause"), (2, "send_evidence"), (40, "erase"), (41, "resume")]
    assert made[1].args == {"finding_id": "0123abcd-1-f3"}
    for last, each in zip((0, 1, 2, 40), made, strict=True):
        check(each, UNIT, last, datetime.now(timezone.utc))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["send_evidence"], "--finding ID goes with send_evidence"),
        (["pause", "--finding", "x"], "--finding ID goes with send_evidence"),
        (["send_evidence", "--finding", "../x"], "args.finding_id is not what it has to be"),
        (["pause", "--expires", "0"], "at most 744 hours"),
        (["pause", "--expires", "1000"], "at most 744 hours"),
        (["pause", "--sequence", "0"], "sequence is no whole number"),
        (["pause", "--broker", "mqtt://broker.example.org"], "is not encrypted"),
    ],
)
def test_a_command_that_no_unit_would_obey_is_not_made(fleet, words, said, capsys):
    assert command(fleet, *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(MOSQUITTO.missing() is not None, reason="needs mosquitto")
def test_a_command_goes_through_the_fleets_own_broker_to_the_unit(tmp_path, make_plan, now, free_ports, capsys):
    fleet = make_fleet(tmp_path / "fleet", make_plan(port=free_ports()), BrokerHome(user="root", persistence=tmp_path), now)
    key = make_key()
    paper = fleet.authority(now).issue("cannes/car-07", key.public_key(), "client", now, days=1)
    for name, content in (("unit.pem", certificate_pem(paper)), ("unit.key", key_pem(key))):
        (tmp_path / name).write_bytes(content)
    assert command(fleet, "pause", "--broker") == 3
    assert "connection refused" in capsys.readouterr().out
    with ground() as place:
        Child(place, ["mosquitto", "-c", str(fleet.folder / "broker" / "mosquitto.conf")])
        until(
            lambda: command(fleet, "pause", "--broker", "--json") == 3 and "does not know" in capsys.readouterr().out, "mosquitto"
        )
        where = address(fleet.plan.broker_url, fleet.folder / "ca.pem", tmp_path / "unit.pem", tmp_path / "unit.key")
        with closing(PahoBroker(where, Session("cannes.car-07", ("ronde/v1/cannes/car-07/command",), 0))) as unit:
            assert command(fleet, "erase", "--broker") == 0
            assert "is with the broker" in capsys.readouterr().out
            (received,) = [each for each in unit.take(10.0) if isinstance(each, Received)]
        obeyed = read_command(received.payload, public_key(fleet.folder / "command.pem"))
        assert obeyed.do == "erase"
        check(obeyed, UNIT, obeyed.sequence - 1, datetime.now(timezone.utc))
