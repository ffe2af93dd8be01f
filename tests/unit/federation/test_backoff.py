"""Back-off in three tiers, over restarts."""

from __future__ import annotations

import pytest

from core.federation.backoff import Backoff, ServerDown, Tier
from core.ids import ServerName
from core.storage.destinations import DestinationStore

A = ServerName("a.org")
MINUTE = 60


def fail_until(backoff, clock, seconds):
    """Try at every chance for so long, in vain; the pauses in seconds."""
    end, pauses = clock.now + seconds, []
    while clock.now < end:
        backoff.failed(A)
        pauses.append(backoff.pause_ms(A) / 1000)
        clock.now += pauses[-1] + 0.001
    return pauses


def test_a_server_that_never_failed_is_up(backoff):
    backoff.require(A)
    assert backoff.tier(A) is Tier.UP


def test_transient_failures_pause_for_seconds_and_stay_off_the_record(backoff, clock, storage):
    pauses = fail_until(backoff, clock, 14 * MINUTE)
    assert backoff.tier(A) is Tier.TRANSIENT
    assert 0.5 <= pauses[0] <= 2
    assert max(pauses) <= 40
    assert DestinationStore(storage.database).all() == []


def test_a_server_that_stays_away_is_down_for_ever_longer_and_then_dead(backoff, clock):
    pauses = fail_until(backoff, clock, 16 * MINUTE)
    assert backoff.tier(A) is Tier.DOWN
    assert 450 <= pauses[-1] <= 750
    pauses = fail_until(backoff, clock, 30 * 24 * 3600)
    assert backoff.tier(A) is Tier.DEAD
    assert len(pauses) < 30
    assert max(pauses) >= 0.75 * 7 * 24 * 3600


def test_an_outage_is_remembered_over_a_restart(backoff, clock, storage):
    fail_until(backoff, clock, 20 * MINUTE)
    backoff.failed(A)
    again = Backoff(DestinationStore(storage.database), storage.writer, 600_000, 2, 7 * 86_400_000, clock)
    assert again.tier(A) is Tier.DOWN
    with pytest.raises(ServerDown, match=r"a\.org has not answered"):
        again.require(A)


@pytest.mark.parametrize("sign_of_life", ["succeeded", "called"])
def test_a_sign_of_life_ends_the_pause_and_clears_the_record(backoff, clock, storage, sign_of_life):
    revived = []
    backoff.on_revival(revived.append)
    fail_until(backoff, clock, 20 * MINUTE)
    getattr(backoff, sign_of_life)(A)
    backoff.require(A)
    assert (backoff.tier(A), revived, DestinationStore(storage.database).all()) == (Tier.UP, [A], [])
    getattr(backoff, sign_of_life)(A)
    assert revived == [A]


def test_failures_during_a_pause_do_not_lengthen_it(backoff):
    backoff.failed(A)
    pause = backoff.pause_ms(A)
    for _ in range(20):
        backoff.failed(A)
    assert backoff.pause_ms(A) == pause
    assert backoff.outages()[0].failures == 1


def test_a_worker_learns_what_another_has_heard(backoff, clock, storage):
    fail_until(backoff, clock, 20 * MINUTE)
    backoff.failed(A)
    other = Backoff(DestinationStore(storage.database), storage.writer, 600_000, 2, 7 * 86_400_000, clock)
    backoff.called(A)
    assert other.pause_ms(A) > 0
    clock.now += 31
    assert other.pause_ms(A) == 0
    assert other.tier(A) is Tier.UP
