"""From `ronde provision fleet` to the first confirmed event: a real broker, a card folder, and each unit in a root of its own.

What a unit starts is what its service files say. Nobody edits anything.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from provisioning.certificate import common_name, key_print, read_certificate
from provisioning.fleet import Fleet
from sync.broker import Message, Puback, Session, address
from sync.command import main
from sync.mqtt import PahoBroker
from sync.receiver import run_receiver
from sync.refusal import BrokerRefused

PROJECT = Path(__file__).parents[2]
DEADLINE_S = 120.0
NOT_AUTHORISED = 0x87
GIVEN = "SELECT seq FROM sqlite_sequence"
OWN = {"boot", "etc", "lost+found", "opt", "run", "tmp", "var"}
"""What a unit does not share with this machine."""
SHARED_ETC = ("hosts", "ld.so.cache", "nsswitch.conf", "resolv.conf")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(each) is None for each in ("mosquitto", "unshare", "chroot", "systemd-sysusers")),
    reason="needs root, mosquitto, unshare, chroot and systemd-sysusers",
)


def until(holds, what):
    pause, deadline_s = threading.Event(), time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"{what} did not come in {DEADLINE_S:g} s"
        pause.wait(0.1)


def ronde(*words):
    assert main([str(each) for each in words]) == 0, words


def image(folder):
    """The boot partition of a freshly flashed Raspberry Pi OS card."""
    folder.mkdir()
    (folder / "config.txt").write_text("camera_auto_detect=1\n")
    (folder / "cmdline.txt").write_text("console=tty1 root=PARTUUID=abc-02 rootfstype=ext4 rootwait resize\n")
    for name in ("user-data", "meta-data", "network-config"):
        (folder / name).write_text("")
    return folder


class Box:
    """A computer with a card in it: a root of its own, with this machine's programs and ronde where its package puts it."""

    def __init__(self, root, image):
        self.root = root
        for name in ("etc", "opt/ronde", "run", "tmp", "var/lib", "boot"):
            (root / name).mkdir(parents=True)
        shutil.copytree(image, self.card)
        for name in SHARED_ETC:
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), root / "etc")
        binds = [f"mount --bind {sys.prefix} {root}/opt/ronde"]
        for each in sorted(Path("/").iterdir()):
            if each.is_symlink():
                (root / each.name).symlink_to(each.readlink())
            elif each.is_dir() and each.name not in OWN:
                (root / each.name).mkdir()
                binds.append(f"mount --rbind /{each.name} {root}/{each.name}")
        self._enter = " && ".join([*binds, f'exec chroot {root} "$@"'])
        subprocess.run(["systemd-sysusers", f"--root={root}", PROJECT / "systemd/sysusers.d/ronde.conf"], check=True)
        subprocess.run(["systemd-tmpfiles", f"--root={root}", "--create", PROJECT / "systemd/tmpfiles.d/ronde.conf"], check=True)

    @property
    def card(self):
        return self.root / "boot/firmware"

    @property
    def tls(self):
        return self.root / "etc/ronde/tls"

    def first_boot(self):
        """What cloud-init does with the files that the card brings."""
        text = (self.card / "user-data").read_text()
        assert text.startswith("#cloud-config\n")
        for each in json.loads(text.partition("\n")[2])["write_files"]:
            file = self.root / each["path"].lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(each["content"])
            file.chmod(int(each["permissions"], 8))

    def start(self, service):
        """Starts what a service file says."""
        lines = (PROJECT / "systemd" / service).read_text().splitlines()
        (start,) = (line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", self._enter, "enter", *start.split()]
        return subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, service):
        process = self.start(service)
        said, _ = process.communicate(timeout=DEADLINE_S)
        return process.returncode, said

    def asks(self, sql):
        file = self.root / "var/lib/ronde/ronde.db"
        if not file.exists():
            return None
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as db:
            try:
                return db.execute(sql).fetchone()
            except sqlite3.OperationalError:  # it is being made
                return None


@contextmanager
def broker(fleet):
    """mosquitto, as it is told by the fleet's own file."""
    with (fleet.folder.parent / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen(["mosquitto", "-c", fleet.folder / "broker/mosquitto.conf"], stderr=log)
    try:
        until(lambda: process.poll() is not None or answers(fleet.plan.port), "the broker")
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def receiver(fleet, file):
    """`ronde receive` with the papers that the fleet has made for it."""
    stop, listening, papers = threading.Event(), threading.Event(), fleet.folder / "backend"
    options = {"ca": papers / "ca.pem", "cert": papers / "receiver.pem", "key": papers / "receiver.key"}
    url, db = f"mqtts://127.0.0.1:{fleet.plan.port}", f"sqlite:///{file}"
    thread = threading.Thread(
        target=lambda: run_receiver(url, db_url=db, stop=stop, listening=listening.set, **options), name="receiver"
    )
    thread.start()
    try:
        assert listening.wait(DEADLINE_S)
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)


@contextmanager
def connected(fleet, box, name):
    """A connection as the unit."""
    where = address(f"mqtts://127.0.0.1:{fleet.plan.port}", box.tls / "ca.pem", box.tls / "unit.pem", box.tls / "unit.key")
    made = PahoBroker(where, Session(f"{name}.test", (f"ronde/v1/cannes/{name}/ack",), 0))
    try:
        yield made
    finally:
        made.close()


def published(connection, topic):
    """The broker's answer to a message on this topic."""
    mid, seen = connection.publish(Message(topic, b"{}")), []

    def has_come():
        seen.extend(each for each in connection.take(0.1) if isinstance(each, Puback) and each.mid == mid)
        return bool(seen)

    until(has_come, "an answer")
    return seen[0].code


def test_from_a_fleet_to_the_first_confirmed_event(tmp_path, free_ports, open_desk, capsys):
    folder, state = tmp_path / "cannes", tmp_path / "broker-state"
    state.mkdir()
    ports = ("--port", free_ports(), "--enrol-port", free_ports())
    ours = ("--broker-user", "root", "--broker-state", state)
    ronde("provision", "fleet", "cannes", "--host", "127.0.0.1", *ports, *ours, "--out", folder)
    fleet = Fleet(folder)
    flashed = image(tmp_path / "image")
    boxes = {name: Box(tmp_path / name, flashed) for name in ("car-07", "car-08")}
    for name, box in boxes.items():
        ronde("provision", "unit", f"cannes/{name}", "--folder", folder)
        ronde("provision", "card", box.card, f"cannes/{name}", "--folder", folder, "--yes")
    with broker(fleet) as mosquitto, open_desk(fleet), receiver(fleet, tmp_path / "town.db"):
        for box in boxes.values():
            box.first_boot()
            assert box.run("ronde-provision.service")[0] == 0
        services = [box.start("ronde-sync.service") for box in boxes.values()]
        try:
            for box in boxes.values():
                until(
                    lambda box=box: (box.asks("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'") or [0])[0] > 0, "an event"
                )
                until(lambda box=box: box.asks("SELECT count(*) FROM outbox") == (0,), "its confirmation")
        finally:
            for each in services:
                each.send_signal(signal.SIGTERM)
        for each in services:
            said, _ = each.communicate(timeout=DEADLINE_S)
            assert each.returncode == 0, said
        with closing(sqlite3.connect(tmp_path / "town.db")) as db:
            sources = {source for (source,) in db.execute("SELECT source FROM event")}
        assert sources == {"/ronde/cannes/car-07", "/ronde/cannes/car-08"}
        two_identities(boxes)
        no_key_but_in_its_file(boxes, fleet)
        with connected(fleet, boxes["car-07"], "car-07") as connection:
            assert published(connection, "ronde/v1/cannes/car-07/health") < 0x80
            for foreign in ("ronde/v1/cannes/car-08/health", "ronde/v1/cannes/car-07/command", "other"):
                assert published(connection, foreign) == NOT_AUTHORISED, foreign
        ronde("provision", "revoke", "cannes/car-08", "--folder", folder, "--reason", "stolen")
        mosquitto.send_signal(signal.SIGHUP)
        until(lambda: is_refused(fleet, boxes["car-08"], "car-08"), "the revoked unit's refusal")
        with connected(fleet, boxes["car-07"], "car-07"):
            pass
        ronde("provision", "list", "--folder", folder)
        assert "revoked" in capsys.readouterr().out
        assert boxes["car-07"].run("ronde-renew.service") == (0, "the certificate is not due yet\n")


def is_refused(fleet, box, name):
    try:
        with connected(fleet, box, name):
            return False
    except BrokerRefused as error:
        return "certificate" in str(error)


def two_identities(boxes):
    certificates = {name: read_certificate((box.tls / "unit.pem").read_bytes(), name) for name, box in boxes.items()}
    assert {common_name(each.subject) for each in certificates.values()} == {"cannes/car-07", "cannes/car-08"}
    assert len({key_print(each.public_key()) for each in certificates.values()}) == 2
    for box in boxes.values():
        key = box.tls / "unit.key"
        assert (key.stat().st_mode & 0o777, key.stat().st_uid) == (0o640, 0)
        assert key.stat().st_gid == box.tls.stat().st_gid != 0, "the group of the services"


def no_key_but_in_its_file(boxes, fleet):
    """Every byte of both units' roots, the cards' among them."""
    needles = {}
    for file in (*(box.tls / "unit.key" for box in boxes.values()), *fleet.folder.rglob("*.key")):
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        if not hasattr(key, "private_numbers"):
            raw = key.private_bytes_raw()
        else:
            raw = key.private_numbers().private_value.to_bytes(32, "big")
        needles[file] = (raw, raw.hex().encode(), file.read_bytes().splitlines()[1][:50])
    searched = 0
    for box in boxes.values():
        for file in box.root.rglob("*"):
            if file.is_file() and not file.is_symlink():
                content = file.read_bytes()
                searched += 1
                assert not [own for own, many in needles.items() if own != file and any(each in content for each in many)], file
                assert (b"PRIVATE KEY" in content) == (file.name == "unit.key"), file
    assert searched > 20
