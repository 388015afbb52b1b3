import json
import uuid
from datetime import datetime, timedelta, timezone

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.spacing import Spacing
from provisioning.settings import Camera, Unit
from sync.event import (
    NAMESPACE,
    SCHEMAS,
    Event,
    birth_data,
    compact,
    event_id,
    gap_data,
    health_data,
    iso,
    payload,
    schema,
    state_data,
    topic,
    track_data,
)

UNIT = Unit("cannes", "car-07")
AT = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=timezone.utc)
BOOT = "0123456789abcdef0123456789abcdef"


def test_an_id_is_the_same_each_time_and_differs_in_every_part():
    assert str(NAMESPACE) == "b3a7c1de-5f0a-4c86-9d53-70e1f4c0a9b2"
    assert event_id(UNIT, "finding", "r", 1) == event_id(UNIT, "finding", "r", 1)
    others = {
        event_id(UNIT, "finding", "r", 1),
        event_id(Unit("cannes", "car-08"), "finding", "r", 1),
        event_id(Unit("nice", "car-07"), "finding", "r", 1),
        event_id(UNIT, "track", "r", 1),
        event_id(UNIT, "finding", "s", 1),
        event_id(UNIT, "finding", "r", 2),
    }
    assert len(others) == 6
    assert all(uuid.UUID(each).version == 5 for each in others)


def test_times_are_utc_with_milliseconds():
    east = timezone(timedelta(hours=2))
    assert iso(AT) == "2026-03-04T05:06:07.123Z"
    assert iso(datetime(2026, 3, 4, 7, 6, 7, tzinfo=east)) == "2026-03-04T05:06:07.000Z"
    with pytest.raises(ValueError, match="no time zone"):
        iso(datetime(2026, 3, 4))  # noqa: DTZ001 - that is what is refused


def test_a_finding_is_a_valid_event_with_longitude_first(finding_event, validate):
    document = json.loads(payload(finding_event(UNIT, 3), 17))
    validate("event", document)
    assert document["data"]["geometry"]["coordinates"] == [7.0123456, 43.5512345]
    assert document["data"]["properties"]["camera"] == {"latitude_deg": 43.5512, "longitude_deg": 7.0123, "heading_deg": 0.0}
    assert document["sequence"] == "000000000017"
    assert document["datacontenttype"] == "application/geo+json"
    assert document["source"] == "/ronde/cannes/car-07"
    assert topic(UNIT, "finding") == "ronde/v1/cannes/car-07/finding"


def test_a_track_is_valid_with_and_without_times(validate):
    gaps, spacing = [gap_data(12.34, 3.21, "no_fix")], Spacing(4.0)
    for odometer_m in (1.0, 5.1, 9.0):
        spacing.kept(odometer_m, filled=False, standing=False)
    for from_at, to_at in ((AT, AT + timedelta(seconds=60)), (None, None)):
        data = track_data(
            "0123abcd-1",
            [(43.5, 7.0), (43.6, 7.1)],
            from_at=from_at,
            to_at=to_at,
            length_m=500.04,
            frames=9,
            filled_m=0,
            spacing=spacing.summary(),
            gaps=gaps,
        )
        validate("event", json.loads(payload(Event(UNIT, "track", event_id(UNIT, "track", "r", 1), AT, data), 1)))
        assert data["geometry"]["coordinates"][0] == [7.0, 43.5]
    with pytest.raises(ValueError, match="two points"):
        track_data("r", [(1, 2)], from_at=None, to_at=None, length_m=0, frames=0, filled_m=0, spacing={})


def test_health_birth_and_state_are_valid(validate):
    least = health_data(boot=BOOT, uptime_s=1, state="waiting", time_source="unset", outbox=(0, None))
    full = health_data(
        boot=BOOT,
        uptime_s=100.06,
        state="recording",
        time_source="gnss",
        outbox=(3, 4.25),
        reasons=["no_fix"],
        fix_age_s=0.44,
        frames=7,
        dropped={"ring_full": 2},
        refused=1,
        disk_free_bytes=10**10,
        temperature_c=61.24,
        bytes_day=1,
        bytes_month=2,
    )
    for data in (least, full):
        validate("event", json.loads(payload(Event(UNIT, "health", event_id(UNIT, "health", BOOT, 1), AT, data), 1)))
    birth = birth_data(UNIT, boot=BOOT, software="0.1.0", models={"roads-1": "ab" * 32}, camera=Camera(), streams=("finding",))
    validate("event", json.loads(payload(Event(UNIT, "birth", str(uuid.uuid4()), AT, birth), None)))
    validate("state", state_data("lost", BOOT, "0.1.0"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one(name):
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$id"] == f"urn:ronde:schema:{name}:1"
    assert document["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "properties", "score"), 1.2),
        (("data", "properties", "severity"), 4),
        (("data", "properties", "speed"), 4),
        (("data", "geometry", "coordinates"), [43.5, 107.0]),
        (("data", "properties", "model"), "abc"),
        (("sequence",), "17"),
        (("time",), "2026-03-04 05:06:07"),
        (("source",), "/ronde/cannes"),
        (("type",), "ronde.rumour.v1"),
        (("type",), "ronde.health.v1"),
        (("extra",), 1),
    ],
)
def test_the_schemas_are_strict(finding_event, validate, path, value):
    document = json.loads(payload(finding_event(UNIT, 3), 17))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate("event", document)


@given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans()))
def test_the_canonical_form_is_stable_and_reads_back(values):
    assert json.loads(compact(values)) == values
    assert compact(dict(reversed(values.items()))) == compact(values)


def test_a_number_that_is_none_is_a_bug():
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact({"x": float("nan")})
