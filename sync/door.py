"""The way to a broker, for whoever has one: when to knock, how long to rest, and what to say about it."""

from collections.abc import Callable
from enum import Enum

from device.backoff import Backoff
from provisioning.log import Events
from sync.broker import Broker, Lost
from sync.refusal import Alarm, BrokerRefused

TAKEN_OVER_S = 30.0
"""Rest at least this long when somebody else connects with our identity: two of them would expel each other for ever."""

SHORT_S = 20.0
SHORT_TIMES = 3
"""Where so many connections in a row lasted no longer, the next ones rest as long: not every broker says why it hangs up."""

ALONE_S = 2 * TAKEN_OVER_S
"""Who shares our identity rests for about `TAKEN_OVER_S`: that it is over is only said by a connection that lasts longer."""


class Knock(Enum):
    """What came of trying to connect."""

    RESTED = "rested"
    REFUSED = "refused"
    CONNECTED = "connected"


class Door:
    """At most one connection to the broker of `name`. `knock` connects and raises `BrokerRefused`.

    `clock` gives seconds that never jump. `reason` says why there was no connection last, None where there always was one.
    `alarm` is the same as a code of health, None while the door is open.
    """

    def __init__(
        self, name: str, knock: Callable[[], Broker], log: Events, *, clock: Callable[[], float], backoff: Backoff | None = None
    ) -> None:
        self._name = name
        self._knock = knock
        self._log = log
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._retry_s = clock()
        self._connected_s = clock()
        self._short = 0
        self.broker: Broker | None = None
        self.reason: str | None = None
        self.alarm: Alarm | None = None

    def rest_s(self) -> float:
        """How long until the next knock."""
        return max(0.0, self._retry_s - self._clock())

    def knock(self) -> Knock:
        """Connects where it is time to; `broker` is then the connection."""
        if self._clock() < self._retry_s:
            return Knock.RESTED
        try:
            self.broker = self._knock()
        except BrokerRefused as error:
            self._rest(str(error), 0.0, error.alarm)
            return Knock.REFUSED
        self._connected_s = self._clock()
        if self.alarm != "identity_in_use":  # which lets us in each time, for a moment
            self.alarm = None
        self._log.info("broker_connected", broker=self._name)
        return Knock.CONNECTED

    def proven(self) -> None:
        """The connection has served: after its end the first rest is a short one."""
        self._backoff.reset()
        if self._lasted_s() >= ALONE_S:
            self.alarm = None

    def lost(self, lost: Lost) -> None:
        """The connection is over."""
        self.close()
        where = f"the broker of {self._name}"
        self._short = self._short + 1 if self._lasted_s() < SHORT_S else 0
        fought_for = self.alarm == "identity_in_use" and self._lasted_s() < ALONE_S
        if lost.taken_over or fought_for or self._short >= SHORT_TIMES:
            why = f"{where} ended the connection ({lost.reason}), as when another client has this one's certificate or name"
            self._rest(f"identity in use? {why}", TAKEN_OVER_S, "identity_in_use")
        else:
            self._rest(f"{where} ended the connection: {lost.reason}", 0.0, "broker_unreachable")

    def close(self) -> None:
        """Ends the connection where there is one."""
        if self.broker is not None:
            self.broker.close()
            self.broker = None

    def _lasted_s(self) -> float:
        return self._clock() - self._connected_s

    def _rest(self, reason: str, least_s: float, alarm: Alarm) -> None:
        rest_s = max(least_s, self._backoff.next_s())
        self._retry_s = self._clock() + rest_s
        self.reason = reason
        self.alarm = alarm
        self._log.warning("broker_refused", broker=self._name, reason=reason, rest_s=round(rest_s, 1))
