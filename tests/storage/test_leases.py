"""Leases have one owner at a time, and cursors obey the latest."""

import gevent
import pytest

from core.storage.cursors import CursorStore, LeaseLost
from core.storage.leases import Leases


@pytest.fixture
def alpha(writer):
    return Leases(writer, "alpha")


@pytest.fixture
def beta(writer):
    return Leases(writer, "beta")


def test_a_lease_that_is_held_is_not_given(alpha, beta):
    lease = alpha.take("work", 60)
    assert beta.take("work", 60) is None
    assert alpha.renew(lease, 60)
    assert alpha.take("work", 60).fence == lease.fence + 1


def test_a_released_lease_is_free(alpha, beta):
    alpha.release(alpha.take("work", 60))
    assert beta.take("work", 60) is not None


def test_an_expired_lease_is_taken_and_cannot_be_renewed_or_released(alpha, beta):
    lost = alpha.take("work", -1)
    lease = beta.take("work", 60)
    assert lease.fence > lost.fence
    assert not alpha.renew(lost, 60)
    alpha.release(lost)
    assert beta.renew(lease, 60)


def test_of_many_who_ask_at_once_one_gets_it(writer):
    takers = [gevent.spawn(Leases(writer, str(n)).take, "work", 60) for n in range(10)]
    gevent.joinall(takers, raise_error=True)
    assert sum(taker.value is not None for taker in takers) == 1


def test_a_cursor_obeys_the_latest_owner_and_never_goes_back(database, writer):
    cursors = CursorStore(database)
    writer.submit(lambda tx: cursors.start(tx, "work", 5))
    writer.submit(lambda tx: cursors.move(tx, "work", 10, fence=2))
    for position, fence in ((11, 1), (9, 2)):
        with pytest.raises(LeaseLost):
            writer.submit(lambda tx, p=position, f=fence: cursors.move(tx, "work", p, f))
    assert cursors.find("work") == 10
    assert cursors.positions() == {"work": 10}
    assert cursors.find("other") is None
