"""Fixes from gpsd: a real one on recorded and simulated receivers, and servers that misbehave (docs/faults.md, 7)."""

import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import pairwise

import gpsd as library
import pytest

from device.boot import now_s
from device.earth import distance_m
from device.fix import Fix, GpsLost
from device.gpsd import GpsdSource
from device.lines import LONGEST_LINE

DEADLINE_S = 10.0
LONG_AGO = datetime(1990, 1, 1, tzinfo=timezone.utc)

VERSION = b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}\n'
DEVICES = b'{"class":"DEVICES","devices":[{"class":"DEVICE","path":"/dev/ttyACM0"}]}\n'
NO_DEVICES = b'{"class":"DEVICES","devices":[]}\n'
WATCH = b'{"class":"WATCH","enable":true,"json":true}\n'


def tpv(second, **changes):
    message = {
        "class": "TPV",
        "device": "/dev/ttyACM0",
        "mode": 3,
        "time": f"2026-05-04T10:{second // 60:02d}:{second % 60:02d}.000Z",
    }
    message |= {"lat": 43.55 + second * 1e-4, "lon": 7.01, "speed": 11.1, "track": 0.0, "eph": 5.0}
    return json.dumps(message | changes).encode() + b"\n"


Talk = Callable[[socket.socket, int], None]
"""What a server says on a connection, and the number of that connection."""


@contextlib.contextmanager
def server(talk: Talk, *, host: str = "127.0.0.1") -> Iterator[tuple[int, list[int]]]:
    """A server that talks on each connection and then closes it; gives its port and the growing list of connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    connections: list[int] = []
    held: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                held.append(connection)
                connections.append(len(connections))
                with contextlib.suppress(OSError):
                    talk(connection, connections[-1])
                connection.close()

    thread = threading.Thread(target=serve, name="fake-gpsd")
    thread.start()
    try:
        yield listener.getsockname()[1], connections
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def greet(connection: socket.socket, devices: bytes = DEVICES) -> None:
    """What gpsd says to the library: the version, and after its request what is watched."""
    connection.sendall(VERSION)
    connection.recv(1000)
    connection.sendall(devices + WATCH)


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side or the test ends it."""
    while connection.recv(1000):
        pass


def says(*pieces: bytes) -> Talk:
    """A server that greets, says these pieces one by one, and then nothing."""

    def talk(connection: socket.socket, _: int) -> None:
        greet(connection)
        for piece in pieces:
            connection.sendall(piece)
        hang(connection)

    return talk


@contextlib.contextmanager
def source(port: int, host: str = "127.0.0.1", **options) -> Iterator[GpsdSource]:
    made = GpsdSource(host, port, **{"random": lambda: 0.0, **options})
    try:
        yield made
    finally:
        made.close()


def fixes_of(made: GpsdSource, wanted: int) -> list[Fix]:
    """The next `wanted` fixes, whatever is lost between."""
    fixes: list[Fix] = []
    until_s = now_s() + DEADLINE_S
    while len(fixes) < wanted:
        assert now_s() < until_s, f"{len(fixes)} of {wanted} fixes within {DEADLINE_S:g} s; rejected: {made.rejected}"
        with contextlib.suppress(GpsLost):
            fix = made.next_fix(0.5)
            fixes += [fix] if fix else []
    return fixes


def test_a_straight_track_through_a_real_gpsd(gpsd, nmea_straight):
    host, port = gpsd(nmea_straight(30, 50 / 3.6, course_deg=60.0), 0.1)
    with source(port, host) as made:
        fixes = fixes_of(made, 15)
        assert made.speed_source == "doppler"
        assert 0 <= made.fix_age_s(now_s()) < 2
    for earlier, later in pairwise(fixes):
        assert (later.taken_at - earlier.taken_at).total_seconds() == 1
        ends = (earlier.latitude_deg, earlier.longitude_deg, later.latitude_deg, later.longitude_deg)
        assert distance_m(*ends) == pytest.approx(50 / 3.6, abs=0.02)
        assert later.boot_s > earlier.boot_s
    for fix in fixes:
        assert fix.speed_mps == pytest.approx(50 / 3.6, abs=0.01)
        assert fix.course_deg == pytest.approx(60.0, abs=0.01)
        # 19 m x HDOP 0.8
        assert fix.accuracy_m == pytest.approx(15.2, abs=0.1)


def test_every_fix_of_a_5_hz_receiver_is_read(gpsd, nmea_straight):
    host, port = gpsd(nmea_straight(12, 13.9, rate_hz=5), 0.05)
    with source(port, host) as made:
        fixes = fixes_of(made, 40)
    assert {round((b.taken_at - a.taken_at).total_seconds(), 3) for a, b in pairwise(fixes)} == {0.2}


@pytest.mark.parametrize(("log", "least"), [("mt3339", 10), ("ublox-8", 10), ("rst39", 15), ("quectel-l76k-dual", 10)])
def test_recorded_receivers_through_a_real_gpsd(gpsd, read_nmea, ronde_data, log, least):
    host, port = gpsd(read_nmea(ronde_data / "nmea" / f"{log}.log"), 0.005)
    with source(port, host, oldest=LONG_AGO) as made:
        fixes = fixes_of(made, least)
    assert all(later.taken_at > earlier.taken_at and later.boot_s > earlier.boot_s for earlier, later in pairwise(fixes))
    assert max(fix.speed_mps for fix in fixes) < 10


def test_a_receiver_without_a_fix_gives_none(gpsd, read_nmea, ronde_data):
    lines = [line for line in read_nmea(ronde_data / "nmea" / "telit-he910.log") if b",V," in line][:60]
    host, port = gpsd(lines, 0.02)
    with source(port, host) as made:
        until_s = now_s() + DEADLINE_S
        while not made.rejected and now_s() < until_s:
            assert made.next_fix(0.2) is None
        assert set(made.rejected) == {"no_mode"}
        assert made.fix_age_s(now_s()) is None


def test_a_real_gpsd_without_a_receiver_is_no_error(gpsd):
    host, port = gpsd([], 0.1)
    with source(port, host) as made:
        assert made.next_fix(0.1) is None


def test_nobody_listens(free_port):
    with source(free_port) as made, pytest.raises(GpsLost, match=f"gpsd at 127.0.0.1:{free_port}: no connection"):
        made.next_fix(0.1)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        VERSION,
        VERSION[:20],
        b"HTTP/1.1 400 Bad Request\n\n",
        b'{"class":"TPV"}\n',
        b"[]\n",
        b"7\n",
        VERSION + b'{"class":"ERROR"}\n',
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_fault_7_no_greeting_of_a_gpsd_is_a_loss_within_the_time_out(said, closes):
    def talk(connection: socket.socket, _: int) -> None:
        connection.sendall(said)
        if not closes:
            hang(connection)

    with server(talk) as (port, _), source(port, connect_s=0.3) as made:
        begun_s = now_s()
        with pytest.raises(GpsLost):
            made.next_fix(5.0)
        assert now_s() - begun_s < 2.0


def test_fault_7_a_greeting_that_drips_is_a_loss_within_the_time_out():
    def talk(connection: socket.socket, _: int) -> None:
        pause = threading.Event()
        for byte in VERSION * 20:
            connection.sendall(bytes([byte]).replace(b"\n", b" "))
            pause.wait(0.02)

    with server(talk) as (port, _), source(port, connect_s=0.3) as made:
        begun_s = now_s()
        with pytest.raises(GpsLost, match="says nothing"):
            made.next_fix(5.0)
        assert now_s() - begun_s < 2.0


@pytest.mark.parametrize("half", [b"", tpv(1)[:40], b"x" * (3 * LONGEST_LINE)])
def test_fault_7_a_server_that_falls_silent_is_lost(half):
    with server(says(tpv(0) + tpv(1), half)) as (port, _), source(port, silent_s=0.4) as made:
        assert [fix.speed_mps for fix in fixes_of(made, 2)] == [11.1, 11.1]
        assert made.next_fix(0.1) is None
        begun_s = now_s()
        with pytest.raises(GpsLost, match=r"no line for 0\.4 s"):
            made.next_fix(5.0)
        assert now_s() - begun_s < 2.0


def test_fault_7_a_connection_that_closes_is_lost_and_the_next_call_connects_again():
    def talk(connection: socket.socket, number: int) -> None:
        greet(connection)
        connection.sendall(tpv(2 * number) + tpv(2 * number + 1))

    with server(talk) as (port, connections), source(port) as made:
        assert [fix.taken_at.second for fix in (made.next_fix(2.0), made.next_fix(2.0))] == [0, 1]
        # A server that closes before it has read all resets the connection.
        with pytest.raises(GpsLost, match=r"closed the connection|the connection broke"):
            made.next_fix(2.0)
        assert [fix.taken_at.second for fix in fixes_of(made, 4)] == [2, 3, 4, 5]
        assert len(connections) == 3


def test_a_server_that_lets_in_and_throws_out_is_asked_less_and_less():
    def talk(connection: socket.socket, _: int) -> None:
        greet(connection)

    with server(talk) as (port, connections), source(port, random=lambda: 1.0) as made:
        until_s = now_s() + 2.0
        calls = 0
        while now_s() < until_s:
            with contextlib.suppress(GpsLost):
                assert made.next_fix(0.05) is None
            calls += 1
        # At once, then after 0.5 and after another 1 s; a call meanwhile waits, so the caller does not spin.
        assert len(connections) in (2, 3)
        assert calls <= 2.0 / 0.05 + 6


def test_a_gpsd_that_is_started_again_is_found_again(gpsd, nmea_straight, free_port):
    with server(says(*[tpv(n) for n in range(3)])) as (port, _), source(port) as made:
        fixes_of(made, 3)
    with source(free_port) as made:
        for _ in range(3):
            with pytest.raises(GpsLost):
                made.next_fix(0.01)
        made._port = gpsd(nmea_straight(30, 10.0), 0.1)[1]
        assert len(fixes_of(made, 3)) == 3


def test_lines_in_any_pieces_and_lines_that_are_none():
    stream = (
        tpv(0)
        + b"garbage\n"
        + tpv(1)
        + b'{"class":"SKY"}\n\n'
        + b"x" * (LONGEST_LINE + 1)
        + b"\n"
        + b"[1,2\n"
        + tpv(2)
        + tpv(2)
        + tpv(3)
    )
    pieces = [stream[start : start + 7919] for start in range(0, len(stream), 7919)]
    with server(says(*pieces)) as (port, _), source(port) as made:
        assert [fix.taken_at.second for fix in fixes_of(made, 4)] == [0, 1, 2, 3]
        assert made.rejected == {"bad_line": 2, "long_line": 1, "time_not_newer": 1}


def test_mutated_lines_never_end_it():
    draw = random.Random(7)
    lines = [tpv(n) for n in range(300)]
    good = 0
    for n in range(300):
        if n % 3 == 1:
            broken = bytearray(lines[n])
            for _ in range(draw.randint(1, 8)):
                broken[draw.randrange(len(broken) - 1)] = draw.randrange(256)
            lines[n] = bytes(broken)
        else:
            good += 1
    with server(says(b"".join(lines))) as (port, _), source(port) as made:
        fixes = []
        while fix := made.next_fix(0.5):
            fixes.append(fix)
    assert good * 0.9 <= len(fixes) <= 300
    assert all(43.5 < fix.latitude_deg < 43.7 for fix in fixes)
    assert made.rejected["bad_line"] > 10


def test_a_gpsd_without_receivers_greets_too():
    def talk(connection: socket.socket, _: int) -> None:
        greet(connection, NO_DEVICES)
        connection.sendall(tpv(0) + tpv(1))
        hang(connection)

    with server(talk) as (port, _), source(port) as made:
        assert len(fixes_of(made, 1)) == 1


def test_the_first_two_fixes_come_one_by_one_and_a_first_old_time_is_none():
    old = tpv(0, time="2026-05-01T22:10:00.000Z")
    with server(says(old, tpv(1), tpv(2), tpv(3))) as (port, _), source(port) as made:
        assert [fix.taken_at.second for fix in fixes_of(made, 3)] == [1, 2, 3]
        assert made.rejected == {"unconfirmed": 1}
        assert made.next_fix(0.05) is None


def test_what_is_wrong_with_the_receiver_can_be_asked_from_another_thread():
    said = b"".join(tpv(n) for n in range(3)) + b"".join(tpv(n, lat=0.0, lon=0.0) for n in range(3, 40))
    with server(says(said)) as (port, _), source(port) as made:
        fixes_of(made, 3)
        assert made.troubles(now_s()) == ()
        asked: list[tuple[str, ...]] = []
        reader = threading.Thread(target=lambda: made.next_fix(0.5))
        reader.start()
        while reader.is_alive():
            asked.append(made.troubles(now_s()))
        reader.join(DEADLINE_S)
        assert made.rejected == {"position_zero": 37}
        assert set(asked) <= {(), ("position_zero",)}
        assert made.troubles(now_s()) == ("position_zero",)
        assert made.troubles(now_s() + 60.0) == ()


def test_two_sources_do_not_share_the_librarys_globals():
    with (
        server(says(tpv(0), tpv(1))) as (one, _),
        server(says(tpv(40), tpv(41))) as (other, _),
        source(one) as first,
        source(other) as second,
    ):
        seconds = [fix.taken_at.second for made in (first, second, first, second) for fix in fixes_of(made, 1)]
        assert seconds == [0, 40, 1, 41]
    assert library.gpsd_stream is None
    assert library.gpsd_socket is None
    assert library.socket is socket


def test_gpsd_on_ipv6():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with server(says(tpv(0), tpv(1)), host="::1") as (port, _), source(port, "::1") as made:
        assert len(fixes_of(made, 1)) == 1


def test_closing_wakes_whoever_waits():
    with server(says(tpv(0), tpv(1))) as (port, _), source(port, silent_s=60.0) as made:
        fixes_of(made, 2)
        raised: list[Exception] = []

        def wait() -> None:
            try:
                made.next_fix(30.0)
            except GpsLost as error:
                raised.append(error)

        waiter = threading.Thread(target=wait)
        waiter.start()
        made.close()
        made.close()
        waiter.join(DEADLINE_S)
        assert not waiter.is_alive()
        with pytest.raises(GpsLost, match="closed"):
            made.next_fix(0.1)
