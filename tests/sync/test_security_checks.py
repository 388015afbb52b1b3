"""What doctor says of permission, commands and audit log; and that it writes nothing while it looks."""

import importlib.util
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from provisioning import authorisation
from provisioning.certificate import public_pem
from provisioning.settings import Models, Settings, Unit
from provisioning.signed import signed
from sync.audit import HEAD, LOG, Audit
from sync.authorised import FLOOR_FILE, Code
from sync.event import schema
from sync.security_checks import check_audit, check_commands, check_safety

TOWN = ed25519.Ed25519PrivateKey.generate()
NOW = datetime(2026, 5, 14, 12, tzinfo=timezone.utc)
SQUARE = [[7.0, 43.54], [7.04, 43.54], [7.04, 43.56], [7.0, 43.54]]


@pytest.fixture
def unit(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "tls").mkdir()
    return Settings(
        Unit("cannes", "car-07", tmp_path / "state"), models=Models(safety="roads-1.tflite"), source=tmp_path / "ronde.toml"
    )


def permit(unit):
    document = {
        "kind": authorisation.KIND,
        "number": 3,
        "authority": "le maire",
        "legal_reference": "arrêté 2026-114",
        "units": ["cannes/car-07"],
        "area": {"type": "Polygon", "coordinates": [SQUARE]},
        "from": authorisation.text_of(NOW),
        "to": authorisation.text_of(NOW + timedelta(days=1)),
        "events": ["outbreak_of_fire"],
    }
    folder = unit.source.parent
    (folder / "town.pem").write_bytes(public_pem(TOWN.public_key()))
    (folder / "authorisation.json").write_text(json.dumps(signed(document, TOWN)))


def test_a_unit_without_a_safety_model_is_not_asked_for_a_permission(unit):
    assert check_safety(replace(unit, models=Models())).state == "does not apply"


def test_what_keeps_the_safety_model_from_being_loaded_is_said(unit):
    check = check_safety(unit, NOW)
    assert (check.state, check.reason.startswith("it is not loaded: nobody is trusted")) == ("failed", True)
    permit(unit)
    assert "is a model for roads" in check_safety(unit, NOW).reason
    gone = replace(unit, models=Models(safety="nothing.tflite"))
    assert "cannot be read" in check_safety(gone, NOW).reason
    assert not (unit.unit.state / FLOOR_FILE).exists(), "it only looks"


def test_a_permission_and_its_dates_are_said(unit, tmp_path):
    found = importlib.util.spec_from_file_location("tiny_models", Path(__file__).parents[1] / "inference" / "conftest.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    permit(unit)
    tiny = replace(unit, models=Models(safety=str(module.write_model(tmp_path, "tiny", "safety"))))
    now = check_safety(tiny, NOW)
    assert (now.state, now.reason.startswith("permission 3 by le maire (arrêté 2026-114)")) == ("ok", True)
    assert "has not begun yet" in check_safety(tiny, NOW - timedelta(days=1)).reason
    ended = check_safety(tiny, NOW + timedelta(days=1))
    assert (ended.state, "has ended" in ended.reason) == ("failed", True)


def test_whose_commands_are_obeyed_is_said(unit):
    assert check_commands(unit).state == "does not apply"
    (unit.source.parent / "tls" / "command.pem").write_text("x")
    assert check_commands(unit).state == "failed"
    (unit.source.parent / "tls" / "command.pem").write_bytes(public_pem(TOWN.public_key()))
    assert check_commands(unit).state == "ok"
    assert check_commands(replace(unit, source=None)).state == "does not apply"


def test_a_log_that_is_not_what_was_written_is_said(unit):
    state = unit.unit.state
    assert check_audit(unit).state == "does not apply"
    for _ in range(3):
        Audit(state).append("paused", {"by": "the driver"})
    assert check_audit(unit).state == "ok"
    (state / LOG).write_bytes(b"".join((state / LOG).read_bytes().splitlines(keepends=True)[:1]))
    assert check_audit(unit).state == "failed"
    (state / HEAD).unlink()


def test_health_knows_every_reason_for_which_the_model_is_not_loaded():
    assert set(schema("health")["properties"]["safety"]["enum"]) == {"loaded", "not_loaded", *get_args(Code)}
