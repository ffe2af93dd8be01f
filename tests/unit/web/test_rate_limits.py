"""Token buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LimitExceeded
from core.web.rate_limits import Limit, RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def passes(limits: RateLimits, key: str = "@a:x", cost: float = 1) -> bool:
    try:
        limits.check("rc_message", key, cost)
    except LimitExceeded:
        return False
    return True


def test_a_burst_passes_and_then_the_rate(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (0.5, 3)}, clock=clock)
    assert [passes(limits) for _ in range(4)] == [True, True, True, False]
    clock.now += 2
    assert [passes(limits), passes(limits)] == [True, False]


def test_a_refusal_names_the_limit_and_when_it_ends(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (0.5, 1)}, clock=clock)
    limits.check("rc_message", "@a:x")
    clock.now += 0.5
    with pytest.raises(LimitExceeded) as caught:
        limits.check("rc_message", "@a:x")
    assert caught.value.fields == {"retry_after_ms": 1500, "limiter": "rc_message"}
    clock.now += 1.5
    limits.check("rc_message", "@a:x")


def test_keys_and_names_do_not_share_a_bucket(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (1, 1), "rc_login": (1, 1)}, clock=clock)
    limits.check("rc_message", "@a:x")
    limits.check("rc_message", "@b:x")
    limits.check("rc_login", "@a:x")


def test_a_cost_above_the_burst_spends_all_of_it(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (1, 5)}, clock=clock)
    assert passes(limits, cost=50)
    assert not passes(limits)


def test_asking_spends_nothing(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (1, 1)}, clock=clock)
    limits.peek("rc_message", "@a:x")
    assert passes(limits)
    with pytest.raises(LimitExceeded):
        limits.peek("rc_message", "@a:x")
    assert len(limits) == 1


def test_a_limit_that_never_refills_says_so_in_a_finite_number(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (0, 1)}, clock=clock)
    assert passes(limits)
    clock.now += 1e6
    assert not passes(limits)


def test_an_override_holds_for_its_key_alone(clock: Clock) -> None:
    overrides = {"@fast:x": Limit(1, 3), "@free:x": Limit(0, 0), "@also:x": Limit(math.inf, 1)}
    limits = RateLimits({"rc_message": (1, 1)}, lambda name, key: overrides.get(key), clock)
    assert [passes(limits, "@fast:x") for _ in range(4)] == [True, True, True, False]
    assert all(passes(limits, "@free:x") and passes(limits, "@also:x") for _ in range(100))
    assert [passes(limits), passes(limits)] == [True, False]


def test_a_misspelt_limit_is_an_error() -> None:
    with pytest.raises(LookupError, match="rc_message"):
        RateLimits({"rc_message": (1, 1)}).check("rc_mesage", "@a:x")


def test_memory_is_bounded_and_the_emptiest_buckets_are_kept(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (0.001, 5)}, clock=clock, max_keys=100)
    for _ in range(5):
        limits.check("rc_message", "@flood:x")
    for number in range(1000):
        limits.check("rc_message", f"@{number}:x")
    assert len(limits) <= 100
    assert not passes(limits, "@flood:x")


def test_full_buckets_are_forgotten_first(clock: Clock) -> None:
    limits = RateLimits({"rc_message": (1, 5)}, clock=clock, max_keys=10)
    for number in range(10):
        limits.check("rc_message", f"@{number}:x")
    clock.now += 2
    limits.check("rc_message", "@new:x")
    assert len(limits) == 1


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 5), st.integers(1, 5))
def test_never_more_pass_than_burst_and_rate_allow(pauses: list[float], per_second: float, burst: int) -> None:
    clock = Clock()
    limits = RateLimits({"rc_message": (per_second, burst)}, clock=clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += passes(limits)
    assert passed <= burst + per_second * (clock.now - 1000) + 1e-3
