"""The example consumer of the documentation is a backend: each event once, acknowledged, in about 30 lines."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sync.broker import Message, Session, address
from sync.delivery import deliver_once
from sync.mqtt import PahoBroker

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "example_consumer.py"


@pytest.fixture
def consumer(mosquitto, tmp_path, until):
    file = tmp_path / "town.db"
    certificate, key = mosquitto.authority.issue("receiver", "receiver")
    papers = (mosquitto.authority.ca, certificate, key)
    process = subprocess.Popen([sys.executable, EXAMPLE, "127.0.0.1", str(mosquitto.port), file, *papers])
    until(lambda: "Sending SUBACK to example-consumer" in (mosquitto.folder / "mosquitto.log").read_text(), "it has subscribed")
    yield file
    assert process.poll() is None, "it still runs"
    process.terminate()
    process.wait(10)


def test_it_stores_each_event_once_and_frees_the_outbox(consumer, car, rows):
    for _ in range(2):
        ids = car.put(1, 120)
        delivered = deliver_once(car.settings)
        assert delivered.done, delivered
        assert car.waiting() == []
    stored = rows(consumer, "SELECT source, id FROM event WHERE type = 'ronde.finding.v1'")
    assert sorted(stored) == sorted(("/ronde/cannes/car-07", id_) for id_ in ids)


def test_what_is_no_event_ends_nothing(consumer, car, rows):
    backend = car.backend
    where = address(backend.url, backend.ca, backend.cert, backend.key)
    unit = PahoBroker(where, Session("nonsense", ("ronde/v1/cannes/car-07/ack",), 0))
    for rubbish in (b"", b"{", b"[1]", b"7", b'{"id": 1}', bytes(range(256))):
        unit.publish(Message("ronde/v1/cannes/car-07/finding", rubbish))
    unit.close()
    car.put(1, 3)
    assert deliver_once(car.settings).done
    assert rows(consumer, "SELECT count(*) FROM event WHERE type = 'ronde.finding.v1'") == [(3,)]


def test_the_documentation_shows_it_as_it_is():
    shown = re.search(r"^```python\n(.*?)^```", (DOCS / "backend.md").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert shown
    assert shown[1] == EXAMPLE.read_text(encoding="utf-8")
    lines = [line for line in shown[1].splitlines() if line.strip() and not line.startswith('"""')]
    assert len(lines) <= 30
