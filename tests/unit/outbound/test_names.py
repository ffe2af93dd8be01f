"""What is remembered of DNS."""

from __future__ import annotations

import gevent
import pytest

from core.outbound.failures import NameUnknown, NoAnswer, TookTooLong
from core.outbound.names import Names, Service
from tests.servers.names import FakeNames


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_addresses_are_asked_for_once_a_minute_whatever_the_case(clock):
    table = FakeNames({"a.test": ["192.0.2.1"]})
    names = Names(table, clock)
    assert [names.addresses(name) for name in ("a.test", "A.Test")] == [["192.0.2.1"]] * 2
    clock.now = 61
    names.addresses("a.test")
    assert table.asked == ["a.test", "a.test"]


@pytest.mark.parametrize(("is_broken", "kind", "seconds"), [(False, NameUnknown, 60), (True, NoAnswer, 5)])
def test_failures_are_remembered_for_less_long_where_they_may_pass(clock, is_broken, kind, seconds):
    table = FakeNames()
    table.is_broken = is_broken
    names = Names(table, clock)
    for later in (0, seconds - 1):
        clock.now = later
        with pytest.raises(kind):
            names.addresses("gone.test")
    assert len(table.asked) == 1
    table.is_broken, table.hosts = False, {"gone.test": ["192.0.2.1"]}
    clock.now = seconds + 1
    assert names.addresses("gone.test") == ["192.0.2.1"]


def test_services_are_remembered_and_their_absence_too(clock):
    table = FakeNames({}, {"_x._tcp.a.test": [Service("b.test", 1, 1, 1)]})
    names = Names(table, clock)
    for _ in range(2):
        assert names.services("_x._tcp.a.test")[0].host == "b.test"
        assert names.services("_y._tcp.a.test") == ()
    assert len(table.asked) == 2


@pytest.mark.parametrize(("host", "address"), [("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("[::1]", "::1")])
def test_an_address_is_its_own(clock, host, address):
    table = FakeNames()
    assert Names(table, clock).addresses(host) == (address,)
    assert not table.asked


def test_one_question_serves_all_who_wait_even_where_the_first_is_stopped(clock):
    gate = gevent.event.Event()

    class Slow(FakeNames):
        def addresses(self, host):
            gate.wait()
            return super().addresses(host)

    table = Slow({"a.test": ["192.0.2.1"]})
    names = Names(table, clock)
    waiting = [gevent.spawn(names.addresses, "a.test") for _ in range(5)]
    gevent.sleep(0)
    waiting[0].kill()
    gate.set()
    assert [w.get() for w in waiting[1:]] == [["192.0.2.1"]] * 4
    assert table.asked == ["a.test"]


def test_the_end_of_one_askers_time_is_no_answer_for_the_others(world, plain):
    gate, addresses = gevent.event.Event(), world.names.addresses
    world.names.addresses = lambda host: (gate.wait(), addresses(host))[1]
    url = f"http://a.hs.test:{plain.port}/"
    with pytest.raises(TookTooLong):
        world.web.request("GET", url, timeout_ms=20)
    gate.set()
    assert world.web.request("GET", url).status == 404
