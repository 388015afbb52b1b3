"""Whether the way out costs money, as the machine itself says: NetworkManager, else ModemManager, over D-Bus."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from jeepney import DBusAddress, DBusErrorResponse, HeaderFields, Message, MessageType, Properties, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

ANSWER_S: Final = 2.0
"""For each question: who does not answer by then is not asked further."""

LONGEST_S: Final = 5.0
"""For all of them together."""

NETWORK_MANAGER: Final = "org.freedesktop.NetworkManager"
MODEM_MANAGER: Final = "org.freedesktop.ModemManager1"
WIFI: Final = "802-11-wireless"
METERED: Final = {1: True, 2: False, 3: True, 4: False}
"""NMMetered: yes, no, guessed yes, guessed no; 0 is unknown."""
CONNECTED: Final = 11
"""MMModemState: it has a data connection."""
NONE: Final = "/"


@dataclass(frozen=True, slots=True)
class Link:
    """The way out. `metered` is None where nobody says; `wifi` is the name of the network, None where it is none."""

    metered: bool | None
    wifi: str | None = None


NOBODY_SAYS: Final = Link(None)


class _Unanswered(Exception):
    """The service is not there, or does not answer as it should."""


_asking = Lock()
"""Held by the one thread that asks: a bus that takes connections and says nothing holds it for ever."""


def ask_link(bus: str = "SYSTEM", longest_s: float = LONGEST_S) -> Link:
    """What the machine says of its way out; `NOBODY_SAYS` where there is no D-Bus, no service on it, or no answer in time."""
    answers: SimpleQueue[Link] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_ask(bus))
        finally:
            _asking.release()

    if not _asking.acquire(blocking=False):
        return NOBODY_SAYS
    Thread(target=ask, name="link", daemon=True).start()
    try:
        return answers.get(timeout=longest_s)
    except Empty:
        return NOBODY_SAYS


def _ask(bus: str) -> Link:
    try:
        connection = open_dbus_connection(bus)
    except (OSError, ValueError, KeyError, DBusErrorResponse):
        return NOBODY_SAYS
    with connection:
        return _answer(_ask_network_manager, connection) or _answer(_ask_modem_manager, connection) or NOBODY_SAYS


def _answer(ask: Callable[[DBusConnection], Link], connection: DBusConnection) -> Link | None:
    try:
        return ask(connection)
    except (_Unanswered, OSError, ValueError):  # TimeoutError is an OSError
        return None


def _ask_network_manager(connection: DBusConnection) -> Link:
    metered = _get(connection, NETWORK_MANAGER, "/org/freedesktop/NetworkManager", NETWORK_MANAGER, "Metered")
    primary = _get(connection, NETWORK_MANAGER, "/org/freedesktop/NetworkManager", NETWORK_MANAGER, "PrimaryConnection")
    return Link(METERED.get(metered), None if primary == NONE else _wifi(connection, primary))


def _wifi(connection: DBusConnection, primary: str) -> str | None:
    active = f"{NETWORK_MANAGER}.Connection.Active"
    if _get(connection, NETWORK_MANAGER, primary, active, "Type") != WIFI:
        return None
    point = _get(connection, NETWORK_MANAGER, primary, active, "SpecificObject")
    if point == NONE:
        return None
    name = _get(connection, NETWORK_MANAGER, point, f"{NETWORK_MANAGER}.AccessPoint", "Ssid")
    return bytes(name).decode("utf-8", "replace")


def _ask_modem_manager(connection: DBusConnection) -> Link:
    """A modem that has a data connection costs money. Where none has, it says nothing: there may be a cable."""
    where = DBusAddress("/org/freedesktop/ModemManager1", MODEM_MANAGER, "org.freedesktop.DBus.ObjectManager")
    (objects,) = _called(connection, new_method_call(where, "GetManagedObjects"))
    states = [interfaces.get(f"{MODEM_MANAGER}.Modem", {}).get("State", ("i", 0))[1] for interfaces in objects.values()]
    if not any(state >= CONNECTED for state in states):
        raise _Unanswered
    return Link(True)


def _get(connection: DBusConnection, service: str, path: str, interface: str, name: str) -> Any:
    ((_, value),) = _called(connection, Properties(DBusAddress(path, service, interface)).get(name))
    return value


def _called(connection: DBusConnection, call: Message) -> tuple[Any, ...]:
    answer = connection.send_and_get_reply(call, timeout=ANSWER_S)
    if answer.header.message_type is not MessageType.method_return:
        raise _Unanswered(answer.header.fields.get(HeaderFields.error_name))
    body: tuple[Any, ...] = answer.body
    return body
