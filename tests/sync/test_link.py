"""What NetworkManager and ModemManager say over a real D-Bus; the two services are the test's own."""

import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from sync import link
from sync.link import NOBODY_SAYS, Link, ask_link

NM = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"


@pytest.fixture
def bus(tmp_path):
    """A message bus of the test's own; its address."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")
    config = tmp_path / "bus.conf"
    config.write_text(
        "<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN' "
        "'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'><busconfig><type>session</type>"
        f"<listen>unix:path={tmp_path}/bus</listen><policy context='default'><allow send_destination='*' eavesdrop='true'/>"
        "<allow eavesdrop='true'/><allow own='*'/></policy></busconfig>"
    )
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield daemon.stdout.readline().strip().split(",")[0]
    finally:
        daemon.terminate()
        daemon.wait()
        daemon.stdout.close()


@contextmanager
def service(bus, name, answers):
    """Answers calls: `answers` maps (path, what) to a signature and a value; others get an error."""
    connection = open_dbus_connection(bus)
    connection.send_and_get_reply(message_bus.RequestName(name))
    stop = DBusAddress("/stop", name, "test.Stop")

    def serve():
        while True:
            call = connection.receive()
            fields = call.header.fields
            if call.header.message_type is not MessageType.method_call:
                continue
            if fields[HeaderFields.path] == "/stop":
                return
            found = answers.get((fields[HeaderFields.path], call.body[-1] if call.body else fields[HeaderFields.member]))
            connection.send(new_error(call, "test.Nothing") if found is None else new_method_return(call, *found))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        with open_dbus_connection(bus) as other:
            other.send(new_method_call(stop, "Now"))
            thread.join()
        connection.close()


def property_(signature, value):
    return "v", ((signature, value),)


def network_manager(metered, primary="/"):
    return {(ROOT, "Metered"): property_("u", metered), (ROOT, "PrimaryConnection"): property_("o", primary)}


WIFI = {
    ("/active", "Type"): property_("s", "802-11-wireless"),
    ("/active", "SpecificObject"): property_("o", "/point"),
    ("/point", "Ssid"): property_("ay", "Dépôt".encode()),
}


@pytest.mark.parametrize(("said", "metered"), [(0, None), (1, True), (2, False), (3, True), (4, False)])
def test_what_network_manager_says(bus, said, metered):
    with service(bus, NM, network_manager(said)):
        assert ask_link(bus) == Link(metered)


def test_the_name_of_the_wifi(bus):
    with service(bus, NM, network_manager(2, "/active") | WIFI):
        assert ask_link(bus) == Link(False, "Dépôt")
    cable = {("/active", "Type"): property_("s", "802-3-ethernet")}
    with service(bus, NM, network_manager(4, "/active") | cable):
        assert ask_link(bus) == Link(False)


@pytest.mark.parametrize(("state", "answer"), [(11, Link(True)), (8, NOBODY_SAYS)])
def test_a_modem_with_a_connection_costs_money(bus, state, answer):
    objects = {"/modem/0": {"org.freedesktop.ModemManager1.Modem": {"State": ("i", state)}}}
    told = {("/org/freedesktop/ModemManager1", "GetManagedObjects"): ("a{oa{sa{sv}}}", (objects,))}
    with service(bus, "org.freedesktop.ModemManager1", told):
        assert ask_link(bus) == answer


def test_nobody_says_anything(bus, tmp_path, monkeypatch):
    assert ask_link(bus) == NOBODY_SAYS
    assert ask_link(f"unix:path={tmp_path}/none") == NOBODY_SAYS
    monkeypatch.setattr(link, "ANSWER_S", 0.2)
    with open_dbus_connection(bus) as silent:
        silent.send_and_get_reply(message_bus.RequestName(NM))
        assert ask_link(bus) == NOBODY_SAYS
