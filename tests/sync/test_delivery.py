"""Delivery through a real broker with mutual TLS to a real receiver."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.boot import boot_id, now_s
from device.fix import Fix
from provisioning.certificate import public_pem
from provisioning.settings import Backend
from sync.broker import Lost, Message
from sync.commands import Command, write_command
from sync.commands_book import answers
from sync.commands_obeyed import Leave, Obedience
from sync.database import open_database, transaction
from sync.delivery import Deliveries, deliver_once, knock
from sync.door import SHORT_TIMES, TAKEN_OVER_S
from sync.ledger import TRIES
from sync.outbox import Outbox
from sync.publisher import Publisher, Step
from sync.satellite_time import Noting

RECEIVER = """
import sys, threading
from pathlib import Path
from sync.receiver import run_receiver
url, db, ca, cert, key = sys.argv[1:]
run_receiver(url, db_url="sqlite:///" + db, stop=threading.Event(), ca=Path(ca), cert=Path(cert), key=Path(key))
"""


@contextmanager
def delivering(settings, **options):
    """`deliver_once` in a thread; what it returned is appended to the list when it ends."""
    results: list[Deliveries] = []
    thread = threading.Thread(target=lambda: results.append(deliver_once(settings, **options)))
    thread.start()
    yield results
    thread.join()


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


def test_an_outbox_is_emptied_and_each_event_is_stored_once(car, town, rows):
    ids = car.put(1, 600)
    with town.open():
        delivered = deliver_once(car.settings)
        assert delivered.done, delivered
        assert sorted(town.findings()) == sorted(ids)
        assert car.waiting() == []
        # The same events once more, as after a copy of an old database: nothing is added, and all is acknowledged.
        car.put(1, 600)
        delivered = deliver_once(car.settings)
    assert delivered.done, delivered
    assert delivered.backends[0].delivered == 600
    assert sorted(town.findings()) == sorted(ids)
    assert rows(town.file, "SELECT count(*), min(latitude_deg), min(longitude_deg), min(label) FROM finding") == [
        (600, 43.5512345, 7.0123456, "pothole")
    ]


def test_everything_on_the_wire_is_valid_and_says_who_speaks(car, town, observer, validate, until, serving):
    ids = car.put(1, 40)
    with town.open(), serving(car.settings):
        until(lambda: car.waiting() == [], "the outbox is empty")
        until(lambda: observer.on("health"), "a health event")
        until(lambda: len({id_ for ack in observer.on("ack") for id_ in ack["acked"]} & set(ids)) == 40, "all acknowledged")
    until(lambda: observer.on("state")[-1:] and observer.on("state")[-1]["state"] == "lost", "the will at the end")
    streams = {validate.message(received) for received in observer.look()}
    assert streams == {"state", "birth", "finding", "health", "ack"}
    assert observer.on("state")[0]["state"] == "online"
    assert [event["source"] for event in observer.on("finding")] == ["/ronde/cannes/car-07"] * len(observer.on("finding"))
    numbers = [event["sequence"] for event in observer.on("finding") + observer.on("health")]
    assert all(len(number) == 12 for number in numbers)
    assert all(received.topic.startswith("ronde/v1/cannes/car-07/") for received in observer.look())


def test_a_broker_killed_twice_loses_nothing_and_doubles_nothing(car, town, mosquitto, until):
    ids = car.put(1, 2400)
    with town.open(), delivering(car.settings, again_s=3.0) as results:
        for share in (200, 600):
            until(lambda share=share: len(town.findings()) >= share, f"{share} findings stored")
            mosquitto.kill()
            assert car.waiting(), "the broker was killed too late for this test"
            mosquitto.start()
    assert results[0].done, results
    assert sorted(town.findings()) == sorted(ids)
    assert car.waiting() == []


def test_a_receiver_killed_in_a_batch_loses_nothing(car, town, until):
    ids = car.put(1, 2500)
    options = town.options()
    command = [sys.executable, "-c", RECEIVER, town.broker.url, town.file, options["ca"], options["cert"], options["key"]]
    with delivering(car.settings, again_s=2.0) as results:
        for share in (1, 500):
            process = subprocess.Popen([str(each) for each in command])
            until(lambda share=share: len(town.findings()) >= share, f"{share} findings stored")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert car.waiting(), "the receiver was killed too late for this test"
        # Whatever has left the outbox is in the database: here while nobody works on either.
        assert set(ids) - set(car.waiting()) <= set(town.findings())
        with town.open():
            until(lambda: not car.waiting(), "the outbox is empty")
    assert results[0].done
    assert sorted(town.findings()) == sorted(ids)


def test_without_a_receiver_everything_stays_and_the_reason_is_given(car):
    ids = car.put(1, 50)
    delivered = deliver_once(car.settings, give_up_s=1.5)
    assert not delivered.done
    assert car.waiting() == ids
    assert delivered.backends[0].left == 50
    assert "nobody receives behind the broker of roads" in delivered.backends[0].reason
    assert "1.5 s without a confirmation" in delivered.backends[0].reason


def test_a_puback_frees_a_row_only_when_somebody_took_it(mosquitto, make_car, tmp_path, observer):
    car = make_car(mosquitto, tmp_path / "state", "cannes", "car-08", confirm="broker")
    car.put(1, 30)
    delivered = deliver_once(car.settings, give_up_s=30)
    assert delivered.done
    assert len({event["id"] for event in observer.on("finding")}) == 30
    observer.broker.close()
    ids = car.put(31, 30)
    delivered = deliver_once(car.settings, give_up_s=1.0)
    assert delivered.backends[0].left == 30
    assert car.waiting() == ids


def test_rubbish_on_the_ack_topic_confirms_nothing(car, observer, until):
    ids = car.put(1, 3)
    topic = "ronde/v1/cannes/car-07/ack"
    db = open_database(car.file)
    publisher = Publisher(db, car.unit, car.backend, partial(knock, car.settings, car.backend, db))
    assert publisher.step() is Step.CONNECTED
    until(lambda: "Sending SUBACK to cannes.car-07" in car.broker.log.read_text(), "it has subscribed")
    rubbish = [b"", b"\xff\xfe", b"[]", b"{", b'{"acked": "all"}', b'{"acked": [1]}', b'{"refused": ["x"]}', b"[" * 100_000]
    for payload in rubbish:
        observer.broker.publish(Message(topic, payload))
    observer.broker.publish(Message(topic, json.dumps({"acked": ["unknown", ids[1]], "refused": []}).encode()))
    until(lambda: publisher.step(0.2) is Step.CONFIRMED, "the one good ack")
    assert publisher.rubbish == len(rubbish)
    assert car.waiting() == [ids[0], ids[2]]
    publisher.close()
    db.close()


def test_a_refused_event_is_set_aside_with_the_backends_reason(car, observer, rows, until, serving):
    ids = car.put(1, 3)
    with serving(car.settings, health_s=1000):
        until(lambda: len(observer.on("finding")) >= 3, "the events arrive")
        answer = {"acked": ids[:2], "refused": [{"id": ids[2], "reason": "no such street"}]}
        observer.broker.publish(Message("ronde/v1/cannes/car-07/ack", json.dumps(answer).encode()))
        until(lambda: not set(car.waiting()) & set(ids), "no finding waits")
    assert rows(car.file, "SELECT id, backend, stream, reason FROM refused") == [(ids[2], "roads", "finding", "no such street")]
    payload = rows(car.file, "SELECT payload FROM refused")[0][0]
    assert json.loads(payload)["id"] == ids[2]


def test_a_foreign_topic_is_refused_by_the_access_list_and_set_aside(car, town, rows, until):
    """An outbox of another unit on this one's certificate: its events go nowhere, and stay readable in `refused`."""
    stranger = replace(car.settings, unit=replace(car.unit, name="car-99"))
    foreign = replace(car, settings=stranger).put(1, 2)
    own = car.put(3, 2)
    clock = Clock()
    db = open_database(car.file)
    publisher = Publisher(db, car.unit, car.backend, partial(knock, car.settings, car.backend, db), clock=clock)
    with town.open():

        def settled():
            clock.s += 31
            publisher.step(0.3)
            return not car.waiting()

        until(settled, "the outbox is empty")
        publisher.close()
    db.close()
    refused = rows(car.file, "SELECT id, reason FROM refused ORDER BY id")
    assert [id_ for id_, _ in refused] == sorted(foreign)
    assert all(reason == f"the broker answered: Not authorized ({TRIES} times)" for _, reason in refused)
    assert sorted(town.findings()) == sorted(own)


def test_a_command_is_obeyed_after_each_restart_of_the_broker(car, mosquitto, until, make_observer, tmp_path):
    """docs/faults.md, 20."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "command.pem").write_bytes(public_pem(key.public_key()))
    settings = replace(car.settings, source=tmp_path / "ronde.toml")
    db = open_database(car.file)
    now = dt.datetime.now(dt.timezone.utc)
    Noting(db, boot_id()).note(Fix(43.55, 7.01, 3.0, 0.0, None, now, now_s()))
    clock = Clock()
    obeys = Obedience(settings, db, Leave())
    publisher = Publisher(db, car.unit, car.backend, partial(knock, settings, car.backend, db), clock=clock, obeys=obeys)

    def steps_to(wanted):
        clock.s += 121  # past every rest
        return publisher.step(0.1) is wanted

    for restart in range(1, 6):
        until(lambda: steps_to(Step.CONNECTED), "the unit is connected")
        looker = make_observer()
        command = Command("cannes/car-07", restart, now + dt.timedelta(hours=1), "pause", {})
        for payload in (b'{"do": "erase"}', json.dumps(write_command(command, key)).encode()):
            looker.broker.publish(Message("ronde/v1/cannes/car-07/command", payload))

        def obeyed(restart=restart):
            publisher.step(0.2)
            return (len(answers(db)), publisher.commands_refused) == (restart, restart)

        until(obeyed, "one command is obeyed, and the other refused")
        mosquitto.kill()
        mosquitto.start()
        until(lambda: steps_to(Step.LOST), "the connection is lost")
    publisher.close()
    db.close()


@pytest.mark.parametrize(
    "limit",
    [
        ("max_packet_size 3000", "larger than the broker takes (3000 bytes)"),
        ("message_size_limit 3000", "it broke the connection: Protocol error"),
    ],
)
def test_an_event_too_large_for_the_broker_is_set_aside_and_the_others_arrive(car, town, rows, finding_event, limit):
    more, reason = limit
    mosquitto = car.broker
    mosquitto.kill()
    mosquitto.configure(more)
    mosquitto.start()
    db = open_database(car.file)
    poison = finding_event(car.unit, 500, label="p" * 4000)
    with transaction(db):
        Outbox(db).put(poison, car.settings.backends)
    ids = car.put(1, 100)
    clock = Clock()
    publisher = Publisher(db, car.unit, car.backend, partial(knock, car.settings, car.backend, db), clock=clock)
    with town.open():
        for _ in range(4000):
            if publisher.step(0.1) in (Step.LOST, Step.RESTED):
                clock.s += 121  # past every rest
            if not car.waiting():
                break
        publisher.close()
    db.close()
    assert car.waiting() == []
    assert sorted(town.findings()) == sorted(ids)
    [(id_, said)] = rows(car.file, "SELECT id, reason FROM refused")
    assert id_ == poison.id
    assert said.startswith(reason)


def test_two_units_with_one_identity_rest_say_so_and_lose_nothing(car, town, tmp_path, caplog):
    """Two cards were written for one unit: two databases, one certificate, one receiver."""
    twin = replace(car, settings=replace(car.settings, unit=replace(car.unit, state=tmp_path / "twin")))
    twin.unit.state.mkdir()
    ids = car.put(1, 400) + twin.put(1001, 400)
    clock, knocks, dbs = Clock(), ([], []), [open_database(each.file) for each in (car, twin)]

    def door(number):
        knocks[number].append(clock.s)
        return knock(car.settings, car.backend, dbs[number])

    both = [Publisher(dbs[n], car.unit, car.backend, partial(door, n), clock=clock) for n in range(2)]
    said = [set(), set()]
    with town.open():
        for _ in range(600):
            clock.s += 1
            for publisher, reasons in zip(both, said, strict=True):
                publisher.step(0.01)
                reasons.update(publisher.alarms())
            fought = all("identity_in_use" in reasons for reasons in said) and all(len(times) > 1 for times in knocks)
            if not car.waiting() + twin.waiting() and fought:
                break
        for publisher in both:
            publisher.close()
    for times in knocks:
        assert len(times) > 1
        rests = [later - earlier for earlier, later in pairwise(times)]
        # A line that breaks while we write says nothing of the other unit: it is tried again at once, but not for ever.
        short = sum(rest < TAKEN_OVER_S for rest in rests)
        assert short < SHORT_TIMES
        assert min(rests[short:]) >= TAKEN_OVER_S
    assert all("identity_in_use" in reasons for reasons in said)
    refused = [each.ronde_fields for each in caplog.records if each.getMessage() == "broker_refused"]
    assert any("another client has this one's certificate" in each["reason"] for each in refused)
    known = [each["rest_s"] for each in refused if "another client has this one's certificate" in each["reason"]]
    assert min(known) >= TAKEN_OVER_S
    assert (car.waiting(), twin.waiting()) == ([], [])
    assert sorted(town.findings()) == sorted(ids)
    for db in dbs:
        db.close()


def test_one_backend_that_is_down_does_not_delay_the_other(car, town, free_port, until):
    down = replace(car.backend, name="desk", url=f"mqtts://127.0.0.1:{free_port}", streams=("finding",))
    car.settings = replace(car.settings, backends=(down, car.backend))
    ids = car.put(1, 200)
    with town.open(), delivering(car.settings, give_up_s=3) as results:
        until(lambda: len(town.findings()) == 200, "the other backend has everything", 15)
    desk, roads = results[0].backends
    assert (roads.left, roads.delivered, desk.left, desk.delivered) == (0, 200, 200, 0)
    assert "connection refused" in desk.reason
    assert sorted(town.findings()) == sorted(ids)


def test_a_certificate_renewed_on_disk_is_used_without_a_restart(car, town, until):
    ids = car.put(1, 10)
    car.broker.authority.issue("cannes/car-07", "car-07", days=(-2, -1))
    with town.open(), delivering(car.settings, give_up_s=60) as results:
        until(
            lambda: "certificate verify failed" in car.broker.log.read_text(),
            "the expired certificate is refused",
        )
        assert len(car.waiting()) == 10
        car.broker.authority.issue("cannes/car-07", "car-07")
    assert results[0].done, results
    assert sorted(town.findings()) == sorted(ids)


def refusal(car, backend: Backend) -> str:
    ids = car.waiting()
    delivered = deliver_once(replace(car.settings, backends=(backend,)), give_up_s=0.4)
    assert car.waiting() == ids, "the outbox is untouched"
    assert delivered.backends[0].delivered == 0
    return delivered.backends[0].reason


def test_each_refusal_is_one_sentence_and_touches_nothing(car, authority, tmp_path, free_port):
    car.put(1, 3)
    where = f"127.0.0.1:{car.broker.port}"
    good = car.backend
    other = authority(tmp_path / "other")
    stranger = other.issue("cannes/car-07", "stranger")
    expired = car.broker.authority.issue("cannes/car-07", "expired", days=(-2, -1))
    early = car.broker.authority.issue("cannes/car-07", "early", days=(1, 2))
    cases = {
        "expired": (
            replace(good, cert=expired[0], key=expired[1]),
            f"the broker {where} does not let us in: our certificate has expired (",
        ),
        "not yet valid": (
            replace(good, cert=early[0], key=early[1]),
            f"the broker {where} does not let us in: our certificate is not yet valid (",
        ),
        "stranger": (
            replace(good, cert=stranger[0], key=stranger[1]),
            "our certificate",  # its alert is lost where the broker hangs up at once
        ),
        "wrong CA": (replace(good, ca=other.ca), f"the certificate of the broker {where} is not accepted: "),
        "no file": (replace(good, cert=tmp_path / "none.pem"), "cannot be read: No such file or directory"),
        "no certificate": (replace(good, cert=good.key), "is not usable: "),
        "nobody": (
            replace(good, url=f"mqtts://127.0.0.1:{free_port}"),
            f"nothing answers at the broker's address 127.0.0.1:{free_port}: connection refused",
        ),
        "no name": (
            replace(good, url="mqtts://broker.invalid:8883"),
            "the broker broker.invalid:8883 is not found: its name does not",
        ),
        "wrong name": (
            replace(good, url=good.url.replace("127.0.0.1", "localhost")),
            f"the certificate of the broker localhost:{car.broker.port} is not accepted: Hostname mismatch",
        ),
    }
    for name, (backend, sentence) in cases.items():
        assert sentence in refusal(car, backend), name


def test_the_clock_is_named_where_the_brokers_certificate_is_out_of_date(car, mosquitto):
    car.put(1, 1)
    mosquitto.kill()
    mosquitto.authority.issue("broker", "server", days=(1, 2))
    mosquitto.start()
    reason = refusal(car, car.backend)
    assert "certificate is not yet valid (the clock here says " in reason
    assert f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}" in reason


def test_a_killed_broker_is_no_second_unit_with_our_name(mosquitto, make_observer, until):
    observer = make_observer()
    mosquitto.kill()
    outcomes = []

    def lost():
        outcomes.extend(each for each in observer.broker.take(0.1) if isinstance(each, Lost))
        return bool(outcomes)

    until(lost, "the connection is lost")
    assert [each.taken_over for each in outcomes] == [False]
