"""A receiver's database with a made-up town, its map served on loopback, and a real Chromium to look at it."""

import http.client
import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw

from provisioning.settings import Unit
from sync.broker import Received
from sync.event import iso, topic
from sync.map.sample import connected, fill, health_of, rounds_of, utc
from sync.map.server import map_place, serving_map
from sync.receiver.databases import open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.receiver.reading import read

BEGAN_AT = utc("2026-05-04T07:00:00")
DEADLINE_S = 30.0
CAR, OTHER = (Unit("cannes", name, Path("/nowhere")) for name in ("car-07", "car-12"))


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


@dataclass
class Town:
    """A database and the map that shows it."""

    url: str
    address: str
    store: object
    findings: list = field(default_factory=list)
    car = CAR
    other = OTHER
    began_at = BEGAN_AT

    def ask(self, path, method="GET", **headers):
        """What the server answers; `host` and other headers by name."""
        with closing(self.connection()) as line:
            line.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = line.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def connection(self):
        return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=DEADLINE_S)

    def publish(self, *events):
        """Stores events as the receiver does, while the map is open."""
        return fill(self.store, list(events))

    def send_photo(self, finding, text="ronde"):
        picture = Image.new("RGB", (320, 240), (118, 116, 112))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((90, 120, 230, 190), fill=(60, 56, 52), outline=(150, 146, 140), width=4)
        pen.text((10, 10), text, fill="white")
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG")
        properties = {
            "specversion": "1.0",
            "id": f"photo-{finding.data['properties']['finding_id']}",
            "source": f"/ronde/{finding.unit.fleet}/{finding.unit.name}",
            "type": "ronde.evidence.v1",
            "time": "2026-05-04T09:00:00.000Z",
            "subject": finding.data["properties"]["finding_id"],
        }
        received = Received(topic(finding.unit, "evidence"), jpeg.getvalue(), 1, properties, "image/jpeg")
        assert self.store.keep([read(received)]).stored == 1
        return jpeg.getvalue()


@pytest.fixture
def store(tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path / 'town.db'}")) as opened:
        yield opened


@pytest.fixture
def found():
    """Thirty findings of a round, and its tracks."""
    return list(rounds_of(CAR, 30, began_at=BEGAN_AT))


@pytest.fixture
def serve(tmp_path, store) -> Iterator[Callable[..., Town]]:
    """Serves the map of the database, with the place's options."""
    with ExitStack() as stack:

        def served(port=0, **options):
            url = f"sqlite:///{tmp_path / 'town.db'}"
            address = stack.enter_context(serving_map(url, map_place(port, **options)))
            return Town(url, address, store)

        yield served


@pytest.fixture
def town(serve, found) -> Town:
    """A town with thirty findings of one round, one unit that records and one that waits."""
    served = serve()
    served.findings = [event for event in found if event.stream == "finding"]
    served.publish(*found)
    served.store.keep([connected(CAR), connected(OTHER)])
    troubled = {"state": "waiting", "reasons": ["no_fix", "disk_low"], "outbox": (212, 1900.0)}
    served.publish(health_of(CAR, BEGAN_AT), health_of(OTHER, BEGAN_AT, **troubled))
    return served


@pytest.fixture
def later():
    """One more finding of another round: what a car sends while somebody looks."""
    events = rounds_of(OTHER, 1, seed=9, began_at=BEGAN_AT + timedelta(hours=1))
    return next(event for event in events if event.stream == "finding")


def join(town):
    """Joins what has come to what is known, at once."""
    joiner = Joiner(partial(open_joins, town.url), quiet_s=0.0)
    with closing(joiner):
        while joiner.step() in (Outcome.JOINED, Outcome.OVERTAKEN):
            pass


def again(events, unit, days):
    """The same street driven by another unit some days later."""
    later = timedelta(days=days)
    for event in events:
        data = json.loads(json.dumps(event.data))
        told = data.get("properties", {})
        for name in ("round_id", "finding_id"):
            if told.get(name):
                told[name] = told[name].replace("01234567", "89abcdef")
        for name in ("seen_at", "from", "to"):
            if told.get(name):
                told[name] = iso(utc(told[name].removesuffix("Z")) + later)
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{event.id} {unit.name}"))
        yield replace(event, unit=unit, id=id_, time=event.time + later, data=data)


@pytest.fixture
def join_now():
    return join


@pytest.fixture
def joined_town(serve, found):
    """Thirty things, which two units saw a week apart; the second one saw no pothole."""
    served = serve()
    served.findings = [event for event in found if event.stream == "finding"]
    served.publish(*found)
    join(served)
    served.publish(*again([each for each in found if each.data["properties"].get("label") != "pothole"], OTHER, 7))
    join(served)
    return served
