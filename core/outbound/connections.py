"""The connections that are open: how many, to whom, and which wait to be used again.

Every descriptor counts, idle ones too, against one total; where it is reached, the connection idle for longest makes
room, and who finds none idle waits. So five hundred servers are reached over sixty descriptors, a few at a time, and
what is left of the process's limit stays for clients.
"""

from __future__ import annotations

import http.client
import select
from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import count

import gevent
from gevent import monkey
from gevent.lock import BoundedSemaphore

from core.outbound.connecting import NO_DESCRIPTORS, Connection, Connector, Endpoint, now
from core.outbound.failures import NotConnected

IDLE_SECONDS = 60.0
"""For how long an unused connection is kept."""
SWEEP_SECONDS = 10.0
"""How often connections kept too long are looked for."""
PER_ENDPOINT = 8
"""Most connections to one endpoint that are used at once."""
IDLE_PER_ENDPOINT = 2
"""Most connections to one endpoint that are kept."""

_poll = monkey.get_original("select", "poll")


@dataclass(frozen=True, slots=True)
class _Idle:
    endpoint: Endpoint
    connection: Connection
    since: float


class _Turnstile:
    """The users of one endpoint."""

    def __init__(self, limit: int) -> None:
        self.slots = BoundedSemaphore(limit)
        self.users = 0


class Connections:
    """Lends connections. Whoever takes one gives it back, in whatever state."""

    def __init__(self, connector: Connector, total: int, per_endpoint: int = PER_ENDPOINT) -> None:
        self._connector = connector
        self._per_endpoint = min(per_endpoint, total)
        self._total = total
        self._in_use = BoundedSemaphore(total)
        self._turnstiles: dict[Endpoint, _Turnstile] = {}
        self._idle: OrderedDict[int, _Idle] = OrderedDict()
        self._idle_of: dict[Endpoint, deque[int]] = {}
        self._numbers = count(1)
        self._open = 0
        self.opened = 0
        """How many have been opened since the start."""
        self._sweeper: gevent.Greenlet | None = None

    @property
    def open(self) -> int:
        """How many are open, idle ones included."""
        return self._open

    def take(self, endpoint: Endpoint, fresh: bool = False) -> tuple[Connection, bool]:
        """A connection and whether it was used before; `fresh` wants one that was not.

        Waits for its turn as long as the caller's gevent.Timeout lets it. Raises NoAnswer, AddressRefused.
        """
        turnstile = self._turnstiles.get(endpoint)
        if turnstile is None:
            turnstile = self._turnstiles[endpoint] = _Turnstile(self._per_endpoint)
        turnstile.users += 1
        try:
            turnstile.slots.acquire()
            try:
                self._in_use.acquire()
                try:
                    kept = None if fresh else self._pop_idle(endpoint)
                    return (kept, True) if kept is not None else (self._connect(endpoint), False)
                except BaseException:
                    self._in_use.release()
                    raise
            except BaseException:
                turnstile.slots.release()
                raise
        except BaseException:
            self._leave(endpoint, turnstile)
            raise

    def give_back(self, endpoint: Endpoint, connection: Connection, *, is_reusable: bool) -> None:
        """Keep or close a connection."""
        if is_reusable and len(self._idle_of.get(endpoint, ())) < IDLE_PER_ENDPOINT:
            self._keep(endpoint, connection)
        else:
            self._close(connection)
        turnstile = self._turnstiles[endpoint]
        self._in_use.release()
        turnstile.slots.release()
        self._leave(endpoint, turnstile)

    def close(self) -> None:
        """Close what is idle, and keep nothing from now on."""
        if self._sweeper is not None:
            self._sweeper.kill()
        while self._idle:
            self._close_oldest()

    def _leave(self, endpoint: Endpoint, turnstile: _Turnstile) -> None:
        turnstile.users -= 1
        if not turnstile.users:
            del self._turnstiles[endpoint]

    def _connect(self, endpoint: Endpoint) -> Connection:
        while self._open >= self._total and self._idle:
            self._close_oldest()
        self._open += 1
        try:
            connection = self._connect_making_room(endpoint)
        except BaseException:
            self._open -= 1
            raise
        self.opened += 1
        return connection

    def _connect_making_room(self, endpoint: Endpoint) -> Connection:
        try:
            return self._connector.connect(endpoint)
        except OSError as error:
            if error.errno not in NO_DESCRIPTORS:
                raise
        while self._idle:
            self._close_oldest()
        try:
            return self._connector.connect(endpoint)
        except OSError as error:
            raise NotConnected("This server has no file descriptors left for outgoing connections.") from error

    def _keep(self, endpoint: Endpoint, connection: Connection) -> None:
        number = next(self._numbers)
        self._idle[number] = _Idle(endpoint, connection, now())
        self._idle_of.setdefault(endpoint, deque()).append(number)
        if self._sweeper is None:
            self._sweeper = gevent.spawn(self._sweep)

    def _pop_idle(self, endpoint: Endpoint) -> Connection | None:
        """The connection used last, if it is still alive."""
        while numbers := self._idle_of.get(endpoint):
            idle = self._forget(numbers[-1])
            if _is_alive(idle.connection):
                return idle.connection
            self._close(idle.connection)
        return None

    def _close_oldest(self) -> None:
        self._close(self._forget(next(iter(self._idle))).connection)

    def _forget(self, number: int) -> _Idle:
        idle = self._idle.pop(number)
        numbers = self._idle_of[idle.endpoint]
        numbers.remove(number)
        if not numbers:
            del self._idle_of[idle.endpoint]
        return idle

    def _close(self, connection: Connection) -> None:
        self._open -= 1
        connection.close()

    def _sweep(self) -> None:
        """Close what has been idle for too long; ends when nothing is."""
        try:
            while self._idle:
                gevent.sleep(SWEEP_SECONDS)
                oldest_allowed = now() - IDLE_SECONDS
                while self._idle and next(iter(self._idle.values())).since <= oldest_allowed:
                    self._close_oldest()
        finally:
            self._sweeper = None


def _is_alive(connection: Connection) -> bool:
    """Whether the other side has neither closed the connection nor said anything unasked."""
    sock = connection.sock
    if sock is None:
        return False
    poll = _poll()
    try:
        poll.register(sock.fileno(), select.POLLIN)
        return not poll.poll(0)
    except (OSError, ValueError):
        return False


def is_reusable(connection: Connection, is_complete: bool) -> bool:
    """Whether another request may follow on a connection after an answer that was read to its end, or was not."""
    return is_complete and connection.sock is not None and isinstance(connection, http.client.HTTPConnection)
