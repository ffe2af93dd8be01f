"""Limits that a plugin gives single users."""

import pytest

from core.hooks import RateLimitOverride, hookimpl
from core.hooks.manager import PluginManager
from core.wiring import limit_overrides
from core.wiring.limit_overrides import KEPT_SECONDS, LimitOverrides

ALICE = "@alice:example.org"


class Generous:
    def __init__(self):
        self.asked = []

    @hookimpl
    def ratelimit_override(self, user_id, limiter):
        self.asked.append((user_id, limiter))
        return {"rc_message": RateLimitOverride(5, 50), "rc_joins.local": RateLimitOverride(0, 9)}.get(limiter)


@pytest.fixture
def plugin():
    return Generous()


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def overrides(plugin, now):
    plugins = PluginManager()
    plugins.register("generous", plugin)
    return LimitOverrides(plugins, lambda: now[0])


def test_an_answer_is_kept_for_a_minute(overrides, plugin, now):
    for later in (0, KEPT_SECONDS - 1, KEPT_SECONDS):
        now[0] = 100 + later
        assert overrides("rc_message", ALICE) == (5, 50)
    assert plugin.asked == [(ALICE, "rc_message")] * 2


def test_no_answer_is_kept_as_well_and_nothing_a_second_is_no_limit(overrides, plugin):
    assert overrides("rc_login", ALICE) is overrides("rc_login", ALICE) is None
    assert overrides("rc_joins.local", ALICE).burst_count == 0
    assert len(plugin.asked) == 2


def test_addresses_are_no_matter_of_plugins(overrides, plugin):
    assert overrides("rc_registration", "192.0.2.1") is None
    assert plugin.asked == []


def test_of_too_many_answers_the_oldest_is_forgotten(overrides, plugin, monkeypatch):
    monkeypatch.setattr(limit_overrides, "MAX_KEPT", 1)
    for user in (ALICE, "@bob:example.org", ALICE):
        overrides("rc_message", user)
    assert len(plugin.asked) == 3
