"""Whatever happens to connections, the accounts are right in the end."""

from __future__ import annotations

from random import Random

import gevent
import pytest

from core.outbound.connecting import Endpoint
from core.outbound.connections import Connections
from core.outbound.failures import NotConnected


class FakeConnection:
    """Counts itself while it is open."""

    def __init__(self, counter):
        self.counter, self.sock = counter, None
        counter["open"] += 1
        counter["most"] = max(counter["most"], counter["open"])

    def close(self):
        self.counter["open"] -= 1


class FakeConnector:
    """Connects after a moment, or does not."""

    def __init__(self, random):
        self.random, self.fails, self.counter = random, 0.2, {"open": 0, "most": 0}

    def connect(self, endpoint):
        gevent.sleep(self.random.random() / 500)
        if self.random.random() < self.fails:
            raise NotConnected("No.")
        return FakeConnection(self.counter)


@pytest.mark.parametrize("seed", range(5))
def test_no_slot_is_lost_and_the_total_is_kept(seed):
    random = Random(seed)
    connector = FakeConnector(random)
    connections = Connections(connector, total=5, per_endpoint=2)
    endpoints = [Endpoint(f"s{n}", 1, None) for n in range(8)]

    def use():
        endpoint = random.choice(endpoints)
        try:
            with gevent.Timeout(random.random() / 20):
                connection, _ = connections.take(endpoint, fresh=random.random() < 0.2)
        except (NotConnected, gevent.Timeout):
            return
        gevent.sleep(random.random() / 200)
        connections.give_back(endpoint, connection, is_reusable=random.random() < 0.7)

    gevent.joinall([gevent.spawn(use) for _ in range(300)], raise_error=True)
    assert connector.counter["most"] <= 5
    connections.close()
    assert (connections.open, connector.counter["open"]) == (0, 0)
    connector.fails = 0
    assert len([connections.take(Endpoint("last", number, None)) for number in range(5)]) == 5
