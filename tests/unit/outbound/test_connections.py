"""How many connections are open, and who waits."""

from __future__ import annotations

import errno

import gevent
import pytest
from gevent.event import Event

from core.outbound import connections
from core.outbound.connecting import Connector, Endpoint
from core.outbound.connections import Connections
from core.outbound.door import Request
from core.outbound.failures import NotConnected, TookTooLong


def endpoints(world, remote, count):
    """So many endpoints, all of them the same server under different names."""
    for number in range(count):
        world.names.hosts[f"s{number}.hs.test"] = ["127.0.0.1"]
    return [Endpoint(f"s{number}.hs.test", remote.port, f"s{number}.hs.test") for number in range(count)]


def fetch(door, endpoint, timeout_ms=10_000):
    with door.open(endpoint, Request("GET", "/", endpoint.host, timeout_ms=timeout_ms)) as answer:
        return answer.read(1000)


def test_many_servers_are_reached_over_few_descriptors(world, remote):
    few = world.build(total=6)
    most, busy = [], [gevent.spawn(fetch, few.door, one) for one in endpoints(few, remote, 60)]
    remote.answer("/", lambda _seen: most.append(few.door.open_connections) or {})
    gevent.joinall(busy, raise_error=True)
    assert len(remote.requests) == 60
    assert max(most) <= 6
    assert few.door.open_connections <= 6


def test_a_slow_server_takes_only_its_own_share(world, remote, plain):
    slow, gate = Endpoint("a.hs.test", remote.port, "a.hs.test"), Event()
    remote.answer("/", lambda _seen: (gate.wait(), {})[1])
    waiting = [gevent.spawn(fetch, world.door, slow) for _ in range(20)]
    with gevent.Timeout(5):
        while len(remote.requests) < connections.PER_ENDPOINT:
            gevent.sleep(0.001)
    assert fetch(world.door, Endpoint("localhost", plain.port, None))
    assert len(remote.requests) == connections.PER_ENDPOINT
    gate.set()
    gevent.joinall(waiting, raise_error=True)
    assert len(remote.requests) == 20


def test_who_waits_for_a_turn_gives_up_in_time(world, remote):
    gate, one = Event(), world.build(total=1)
    remote.answer("/", lambda _seen: (gate.wait(), {})[1])
    first = gevent.spawn(fetch, one.door, Endpoint("a.hs.test", remote.port, "a.hs.test"))
    gevent.sleep(0)
    with pytest.raises(TookTooLong):
        fetch(one.door, Endpoint("b.hs.test", remote.port, "b.hs.test"), timeout_ms=50)
    gate.set()
    assert first.get() == b"{}"
    assert fetch(one.door, Endpoint("b.hs.test", remote.port, "b.hs.test")) == b"{}"


def test_an_idle_connection_is_closed_after_its_time(world, remote, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.01)
    fetch(world.door, Endpoint("a.hs.test", remote.port, "a.hs.test"))
    assert world.door.open_connections == 1
    with gevent.Timeout(2):
        while world.door.open_connections:
            gevent.sleep(0.005)


def test_a_process_without_descriptors_gives_up_idle_connections_first(world, remote, monkeypatch):
    fetch(world.door, Endpoint("a.hs.test", remote.port, "a.hs.test"))
    connect, tries = Connector.connect, []

    def exhausted(self, endpoint):
        tries.append(endpoint)
        if world.door.open_connections > 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return connect(self, endpoint)

    monkeypatch.setattr(Connector, "connect", exhausted)
    assert fetch(world.door, Endpoint("b.hs.test", remote.port, "b.hs.test"))
    assert len(tries) == 2


def test_a_process_without_descriptors_says_so(monkeypatch):
    class Exhausted:
        def connect(self, endpoint):
            raise OSError(errno.EMFILE, "Too many open files")

    with pytest.raises(NotConnected, match="descriptors"):
        Connections(Exhausted(), 5).take(Endpoint("a.hs.test", 1, None))
