"""A fleet, and boxes that want to belong to it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from provisioning.broker_files import BrokerHome
from provisioning.desk_service import serve
from provisioning.fleet import Fleet, Plan, make_fleet
from provisioning.identity import Identity
from provisioning.register import text_of

DEADLINE_S = 20.0


@pytest.fixture
def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


@pytest.fixture
def make_plan(now: datetime) -> Callable[..., Plan]:
    def make(fleet: str = "cannes", port: int = 8883, desk: int = 8443, hosts: tuple[str, ...] = ("127.0.0.1",)) -> Plan:
        return Plan(fleet, hosts, port, hosts, desk, text_of(now))

    return make


@pytest.fixture
def fleet(tmp_path: Path, make_plan: Callable[..., Plan], now: datetime, free_ports: Callable[[], int]) -> Fleet:
    return make_fleet(tmp_path / "cannes", make_plan(port=free_ports(), desk=free_ports()), BrokerHome(), now)


@pytest.fixture
def box(tmp_path: Path) -> Callable[[str], Identity]:
    """A box of this name, with nothing in it."""

    def make(name: str) -> Identity:
        folder = tmp_path / "boxes" / name
        folder.mkdir(parents=True)
        return Identity(folder / "tls")

    return make


@contextmanager
def open_desk(fleet: Fleet) -> Iterator[None]:
    """The enrolment desk, in a thread, at the port of the fleet's plan."""
    stop, listening = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            serve(fleet, ("127.0.0.1", fleet.plan.enrolment_port), stop, listening=lambda _: listening.set())
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
            listening.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert listening.wait(DEADLINE_S)
        assert not failures, failures
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not failures, failures


@pytest.fixture
def desk(fleet: Fleet) -> Iterator[None]:
    with open_desk(fleet):
        yield


@pytest.fixture(name="open_desk")
def _open_desk() -> Callable[[Fleet], object]:
    return open_desk
