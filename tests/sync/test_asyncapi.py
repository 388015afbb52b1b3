"""The contract's document (AsyncAPI 3) says what the code does, and hangs together."""

import ast
import json
from fnmatch import fnmatch
from pathlib import Path

import jsonschema
import pytest
import referencing

from provisioning.settings import STREAMS, Unit
from sync.alert_event import alert_data
from sync.event import SCHEMAS, payload, schema, state_data, topic
from sync.receiver.reading import OURS
from sync.receiver.receiver import MOST_IDS
from sync.receiver.service import WRITTEN
from sync.receiver.things import HEALTH, PROPERTIES

PACKAGE = Path(__file__).parents[2] / "sync"
DOCUMENT = json.loads((PACKAGE / "asyncapi.json").read_text(encoding="utf-8"))
UNIT = Unit("cannes", "car-07")


def refs(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        value = list(value.values())
    for inner in value if isinstance(value, list) else []:
        yield from refs(inner)


def resolved(reference):
    name, _, pointer = reference.partition("#")
    found = json.loads((PACKAGE / name).read_text(encoding="utf-8")) if name else DOCUMENT
    for part in pointer.strip("/").split("/") if pointer else []:
        found = found[part]
    return found


def test_every_reference_leads_somewhere():
    found = set(refs(DOCUMENT))
    assert {each for each in found if not each.startswith("#")} == {
        f"schemas/{name}.json" for name in ("ack", "command", "event", "evidence", "state")
    }
    for each in found:
        assert resolved(each), each
    for name in SCHEMAS:
        for each in refs(schema(name)):
            assert each in {schema(other)["$id"] for other in SCHEMAS}, f"{name} refers to {each}"


def test_its_topics_are_those_of_the_code():
    addresses = {name: each["address"] for name, each in DOCUMENT["channels"].items()}
    assert set(addresses) == {*WRITTEN, *STREAMS, "state", *OURS}
    for name, address in addresses.items():
        assert address.format(fleet="cannes", unit="car-07") == topic(UNIT, name)
        assert set(DOCUMENT["channels"][name]["parameters"]) == {"fleet", "unit"}
        assert list(DOCUMENT["channels"][name]["messages"]) == [name]


def test_who_sends_what_and_how():
    actions = {}
    for name, operation in DOCUMENT["operations"].items():
        channel = resolved(operation["channel"]["$ref"])
        (stream,) = channel["messages"]
        assert name == operation["action"] + stream.capitalize()
        assert resolved(operation["messages"][0]["$ref"]) == channel["messages"][stream]
        assert operation["bindings"]["mqtt"]["qos"] == 1
        assert operation["bindings"]["mqtt"]["retain"] is (stream == "state")
        actions[stream] = operation["action"]
    assert {stream for stream, action in actions.items() if action == "receive"} == OURS
    assert set(actions) == set(DOCUMENT["channels"])
    assert f"at most {MOST_IDS} ids" in DOCUMENT["channels"]["ack"]["description"]


def test_every_schema_is_one_and_each_file_is_listed_and_shipped():
    assert {file.stem for file in (PACKAGE / "schemas").iterdir()} == set(SCHEMAS)
    for name in SCHEMAS:
        jsonschema.Draft202012Validator.check_schema(schema(name))
    setup = ast.parse((PACKAGE.parent / "setup.py").read_text(encoding="utf-8"))
    call = next(node.value for node in setup.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    patterns = ast.literal_eval(next(each.value for each in call.keywords if each.arg == "package_data"))["sync"]
    for file in ("asyncapi.json", *(f"schemas/{name}.json" for name in SCHEMAS)):
        assert any(fnmatch(file, pattern) for pattern in patterns), file


@pytest.fixture(scope="module")
def valid():
    """Validates what is sent on a topic by this document alone."""
    resources = [(f"schemas/{name}.json", referencing.Resource.from_contents(schema(name))) for name in SCHEMAS]
    resources += [(resource.id(), resource) for _, resource in resources]
    registry = referencing.Registry().with_resources(resources)

    def validate(stream, document, part="payload"):
        message = resolved(DOCUMENT["channels"][stream]["messages"][stream]["$ref"])
        found = message[part].get("schema", message[part])
        jsonschema.Draft202012Validator(found, registry=registry).validate(document)

    return validate


def test_what_is_sent_is_valid_by_it_and_only_on_its_own_topic(valid, finding_event):
    event = json.loads(payload(finding_event(UNIT, 1), 1))
    valid("finding", event)
    valid("state", state_data("lost", "ab" * 16, "0.1.0"))
    valid("ack", {"acked": [event["id"]], "refused": [{"id": "x", "reason": "why"}]})
    valid("batch", [event] * 50)
    attributes = {key: event[key] for key in ("specversion", "id", "source", "time", "sequence", "subject")}
    valid("evidence", {**attributes, "type": "ronde.evidence.v1"}, "headers")
    valid("batch", {"content-encoding": "deflate"}, "headers")
    for stream, wrong, part in (
        ("track", event, "payload"),
        ("batch", [event] * 51, "payload"),
        ("batch", [], "payload"),
        ("batch", {}, "headers"),
        ("evidence", attributes, "headers"),
        ("command", {"unit": "cannes/car-07", "do": "fly"}, "payload"),
    ):
        with pytest.raises(jsonschema.ValidationError):
            valid(stream, wrong, part)


def test_grades_alerts_and_commands_have_their_schemas(valid, finding_event):
    event = json.loads(payload(finding_event(UNIT, 1), 1))
    line = {"type": "LineString", "coordinates": [[7.0, 43.5], [7.1, 43.5]]}
    graded = {"from_m": 0, "to_m": 20, "grade": 2.5, "low": 2, "high": 3, "coverage": 0.9, "cells": 5, "reasons": {"wet": 1}}
    poor = {**graded, "grade": None, "low": None, "high": None, "coverage": 0.2, "cells": 1}
    features = [{"type": "Feature", "geometry": line, "properties": each} for each in (graded, poor)]
    sent = {**event, "type": "ronde.grade.v1", "dataschema": "urn:ronde:schema:grade:1"}
    valid("grade", {**sent, "data": {"type": "FeatureCollection", "features": features}})
    for wrong in ({**graded, "grade": 6}, {**graded, "coverage": 2}, {**graded, "reasons": ["wet"]}):
        feature = {"type": "Feature", "geometry": line, "properties": wrong}
        with pytest.raises(jsonschema.ValidationError):
            valid("grade", {**sent, "data": {"type": "FeatureCollection", "features": [feature]}})
    row = dict.fromkeys(("first_seen_at", "seen_at", "ended_at", "over"), None)
    row |= {"id": "0123abcd-1-a1", "round_id": "0123abcd-1", "label": "smoke", "score": 0.5, "uncertainty_m": 90.0, "frames": 2}
    told = alert_data(row | {"latitude_deg": 43.5, "longitude_deg": 7.0, "model": "ab" * 32}, "began", None)
    alert = {**event, "type": "ronde.alert.v1", "dataschema": "urn:ronde:schema:alert:1"}
    valid("alert", {**alert, "data": told})
    with pytest.raises(jsonschema.ValidationError):
        valid("alert", {**alert, "data": {**told, "properties": {**told["properties"], "event": "crowd_density"}}})
    command = {"unit": "cannes/car-07", "sequence": 7, "expires_at": "2026-03-04T05:06:07.890Z", "do": "pause", "args": {}}
    valid("command", {**command, "signature": "A" * 86 + "=="})


def test_the_receivers_columns_are_what_the_schemas_know():
    for name in ("finding", "track"):
        known = set(schema(name)["properties"]["properties"]["properties"])
        assert set(PROPERTIES[name]) <= known
    assert set(PROPERTIES["grade"]) <= set(
        schema("grade")["properties"]["features"]["items"]["properties"]["properties"]["properties"]
    )
    assert set(HEALTH) <= set(schema("health")["properties"])
