"""`ronde receive`: the receiver between a broker and a database, until it is told to stop."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from provisioning.log import events
from provisioning.settings import STREAMS, check_broker_url
from sync.broker import Address, Session, address
from sync.failure import DatabaseFailed
from sync.mqtt import PahoBroker
from sync.receiver.databases import open_store
from sync.receiver.joiner import Joiner
from sync.receiver.joins import open_joins
from sync.receiver.receiver import MOST_WAITING, Receiver
from sync.receiver.store import Store
from sync.rest import Rest

CLIENT_ID: Final = "ronde-receiver"
SESSION_S: Final = 24 * 3600
"""The broker keeps what arrives while the receiver is away this long. The units keep it for as long as it takes."""

TOPICS: Final = "ronde/v1/+/+/+"
STATES: Final = "ronde/v1/+/+/state"
WRITTEN: Final = (*STREAMS, "birth", "batch")
"""What units write beside `state`."""
SHARE: Final = re.compile(r"[A-Za-z0-9_-]{1,30}")

log = events("receiver")


class ReceiverRefused(Exception):
    """The receiver is told something that is not allowed: one sentence."""


def run_receiver(
    url: str,
    *,
    db_url: str,
    stop: threading.Event,
    ca: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    name: str = CLIENT_ID,
    share: str | None = None,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Receive from the broker at `url` into `db_url` (`sqlite:///FILE` or `postgresql://...`) until told to stop.

    `name` is its session's at the broker. Receivers with the same `share` and different names divide the events among them.
    `listening` is called at each connection, once the broker keeps events for us.

    Raises:
        ReceiverRefused: the broker's address is not allowed, its certificates are missing, or `share` is no name.
        DatabaseRefused: the database cannot serve.
    """
    where, session = _where(url, ca, cert, key), _session(name, share)
    store = _open(db_url, stop)
    if store is None:
        return
    try:
        with joining(db_url, stop):
            Receiver(store, partial(PahoBroker, where, session)).run(stop, listening)
    finally:
        store.close()


@contextmanager
def joining(db_url: str, stop: threading.Event) -> Iterator[None]:
    """Rounds are joined to what is known in a thread of their own, for the length of the block; a bug in it ends the block too.

    Several receivers may do so with one database: what another one has joined meanwhile is done again.
    """
    bugs: list[BaseException] = []
    done = threading.Event()

    def join() -> None:
        try:
            Joiner(partial(open_joins, db_url)).run(done)
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            bugs.append(error)
            stop.set()

    thread = threading.Thread(target=join, name="joiner")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if bugs:
        raise bugs[0]


def _session(name: str, share: str | None) -> Session:
    """Alone it may be away for a day. One of several is not waited for: what the broker would keep for it goes to the others."""
    if share is None:
        return Session(name, (TOPICS,), SESSION_S, manual=True, unaccepted=MOST_WAITING)
    if not SHARE.fullmatch(share):
        raise ReceiverRefused(f"share {share}: letters, digits, _ and -, at most 30")
    # Who is connected is told to each of them: a retained message does not come by a shared subscription.
    topics = (*(f"$share/{share}/ronde/v1/+/+/{stream}" for stream in WRITTEN), STATES)
    return Session(name, topics, 0, manual=True, unaccepted=MOST_WAITING)


def _open(db_url: str, stop: threading.Event) -> Store | None:
    """The database, as soon as it can be used; None where we are told to stop before."""
    rest = Rest("receiver", log, time.monotonic)
    store: Store | None = None
    while store is None and not stop.is_set():
        store = _try_to_open(db_url, rest)
        stop.wait(rest.left_s())
    return store


def _try_to_open(db_url: str, rest: Rest) -> Store | None:
    try:
        store = open_store(db_url)
    except DatabaseFailed as error:
        rest.begin(error)
        return None
    rest.over()
    return store


def _where(url: str, ca: Path | None, cert: Path | None, key: Path | None) -> Address:
    check_broker_url(url, lambda sentence: ReceiverRefused(f"the broker's address {sentence}"))
    if url.startswith("mqtts:") and None in (ca, cert, key):
        raise ReceiverRefused("mqtts:// needs a CA, a certificate and its key")
    if url.startswith("mqtt:") and (ca or cert or key):
        raise ReceiverRefused("certificates do not go with mqtt://, which is for loopback")
    return address(url, ca, cert, key)
