"""What one other server may ask at once."""

from __future__ import annotations

import gevent
import gevent.event
import pytest

from core.errors import LimitExceeded
from core.federation.inbound_limits import InboundLimits, InboundRate
from core.ids import ServerName

A, B = ServerName("a.org"), ServerName("b.org")


class Time:
    """A clock that tests move; those who sleep do so until `wake` is set."""

    def __init__(self):
        self.now, self.slept, self.wake = 0.0, [], gevent.event.Event()

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.wake.wait()


@pytest.fixture
def time():
    return Time()


def limits(time, **rate):
    return InboundLimits(InboundRate(**rate), lambda: time.now, time.sleep)


def test_requests_past_the_limit_of_a_window_are_delayed(time):
    limited = limits(time, sleep_limit=2, concurrent=10)
    time.wake.set()
    for _ in range(3):
        limited.enter(A)
    assert time.slept == [0.5]
    limited.enter(B)
    time.now = 1.5
    limited.enter(A)
    assert time.slept == [0.5]


def test_only_some_are_worked_on_at_once(time):
    limited, entered = limits(time, concurrent=2), []
    for number in range(3):
        gevent.spawn(lambda n=number: (limited.enter(A), entered.append(n)))
    gevent.idle()
    assert entered == [0, 1]
    limited.leave(A)
    gevent.idle()
    assert entered == [0, 1, 2]


def test_when_too_many_wait_further_ones_are_refused(time):
    limited = limits(time, sleep_limit=0, reject_limit=2)
    waiting = [gevent.spawn(limited.enter, A) for _ in range(2)]
    gevent.idle()
    with pytest.raises(LimitExceeded) as caught:
        limited.enter(A)
    assert caught.value.fields["retry_after_ms"] == 1000
    time.wake.set()
    gevent.joinall(waiting, raise_error=True)
    limited.enter(A)
