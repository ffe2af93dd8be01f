"""What happens when a plugin fails."""

import logging
import sys
import time

import gevent
import pytest
from gevent.event import Event as Never

from core.errors import Forbidden
from core.hooks import ALLOW, PluginBusy, PluginFailed, PluginUnavailable, Reject, hookimpl
from core.hooks.guard import GuardSettings
from core.hooks.specs import events, observers, passwords, permissions

SPAM = {"event": None, "sender": "@a:b", "room": None}
LOGIN = {"user_id": "@a:b", "login_type": "m.login.password", "device_id": None, "ip": "::1", "user_agent": "x"}


class Rejects:
    @hookimpl
    def check_event_for_spam(self):
        return Reject("M_FORBIDDEN", "Spam.")

    @hookimpl
    def verify_password(self):
        return True


class Fails:
    """Fails in all its hooks in one way, until `fail` is replaced."""

    def __init__(self, fail):
        self.fail = fail
        self.calls = 0

    def run(self):
        self.calls += 1
        return self.fail()

    @hookimpl
    def check_event_for_spam(self):
        return self.run()

    @hookimpl
    def check_login(self):
        return self.run()

    @hookimpl
    def room_created(self):
        return self.run()


def raises():
    raise ZeroDivisionError("oops")


def meter(plugins, hook):
    return next(meter for meter in plugins.meters() if meter.hook == hook)


def test_a_plugin_that_raises_in_an_open_hook_is_passed_over(plugins):
    plugins.register("broken", Fails(raises))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == ALLOW
    plugins.register("strict", Rejects())
    assert plugins.judge(events.check_event_for_spam, **SPAM) == Reject("M_FORBIDDEN", "Spam.")


def test_a_plugin_that_raises_in_a_closed_hook_makes_the_answer_503(plugins):
    plugins.register("broken", Fails(raises))
    with pytest.raises(PluginUnavailable) as caught:
        plugins.judge(permissions.check_login, **LOGIN)
    assert (caught.value.status, "oops" in caught.value.sentence) == (503, False)


def test_a_plugin_cannot_end_the_server(plugins):
    plugins.register("broken", Fails(lambda: sys.exit(1)))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == ALLOW
    assert meter(plugins, "check_event_for_spam").failures == {"error": 1}


@pytest.mark.parametrize("wrong", [{"errcode": None}, {"reason": b"no"}, {"fields": {"errcode": "M_X"}}])
def test_a_rejection_that_cannot_be_shown_is_the_plugins_failure(plugins, wrong):
    plugins.register("odd", Fails(lambda: Reject(**wrong)))
    plugins.require(events.check_event_for_spam, **SPAM)
    assert meter(plugins, "check_event_for_spam").failures == {"error": 1}


def test_arguments_given_by_place_reach_the_plugin_by_name(plugins):
    class Echo:
        @hookimpl
        def check_event_for_spam(self, room, event):
            return Reject(reason=f"{event} in {room}")

    plugins.register("echo", Echo())
    assert plugins.judge(events.check_event_for_spam, "event", "sender", room="room") == Reject(reason="event in room")


def test_a_rejection_is_raised_with_the_plugins_code_and_words(plugins):
    plugins.register("strict", Rejects())
    with pytest.raises(Forbidden) as caught:
        plugins.require(events.check_event_for_spam, **SPAM)
    assert caught.value.body() == {"errcode": "M_FORBIDDEN", "error": "Spam."}


def test_one_plugin_that_raises_does_not_keep_the_others_from_being_told(plugins):
    told = Fails(lambda: None)
    plugins.register("broken", Fails(raises))
    plugins.register("fine", told)
    plugins.tell(observers.room_created, user_id="@a:b", room_id="!r:b", request={})
    assert told.calls == 1


def test_a_plugin_that_waits_too_long_is_given_up(plugins):
    slow = GuardSettings(time_limits={"check_event_for_spam": 0.01})
    plugins.register("slow", Fails(Never().wait), slow)
    assert plugins.judge(events.check_event_for_spam, **SPAM) == ALLOW
    assert meter(plugins, "check_event_for_spam").failures == {"timeout": 1}


def test_a_timeout_of_the_caller_is_not_taken_for_the_plugins(plugins):
    plugins.register("slow", Fails(Never().wait))
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        plugins.judge(events.check_event_for_spam, **SPAM)
    assert meter(plugins, "check_event_for_spam").failures == {}


def test_a_plugin_that_holds_the_hub_past_its_limit_is_heard_and_counted(plugins, clock):
    def hold():
        clock.now += 6
        return Reject()

    plugins.register("slow", Fails(hold))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == Reject()
    assert meter(plugins, "check_event_for_spam").failures == {"slow": 1}


def test_an_answer_of_a_wrong_type_is_a_failure(plugins):
    plugins.register("odd", Fails(lambda: True))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == ALLOW
    assert meter(plugins, "check_event_for_spam").failures == {"answer": 1}


def test_three_failures_in_a_row_switch_a_plugin_off(plugins, caplog):
    broken = Fails(raises)
    plugins.register("broken", broken)
    for _ in range(5):
        plugins.judge(events.check_event_for_spam, **SPAM)
    assert broken.calls == 3
    assert plugins.summaries()[0].is_off
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "plugin broken is switched off for 300 s: it failed 3 times in a row in check_event_for_spam"
    ]


def test_a_success_in_between_forgives_the_failures_before(plugins):
    plugin = Fails(raises)
    plugins.register("shaky", plugin)
    for fail in (raises, raises, lambda: None, raises, raises):
        plugin.fail = fail
        plugins.judge(events.check_event_for_spam, **SPAM)
    assert not plugins.summaries()[0].is_off


def test_a_plugin_that_is_off_keeps_a_closed_hook_closed(plugins):
    broken = Fails(raises)
    plugins.register("broken", broken)
    for _ in range(5):
        with pytest.raises(PluginUnavailable):
            plugins.judge(permissions.check_login, **LOGIN)
    assert broken.calls == 3


def test_a_plugin_is_tried_once_after_its_time_off(plugins, clock):
    broken = Fails(raises)
    plugins.register("broken", broken, GuardSettings(off_seconds=60))
    for _ in range(3):
        plugins.judge(events.check_event_for_spam, **SPAM)
    clock.now += 61
    for _ in range(3):
        plugins.judge(events.check_event_for_spam, **SPAM)
    assert broken.calls == 4


def test_a_plugin_that_recovers_is_on_again(plugins, clock):
    plugin = Fails(raises)
    plugins.register("shaky", plugin)
    for _ in range(3):
        plugins.judge(events.check_event_for_spam, **SPAM)
    clock.now, plugin.fail = clock.now + 301, Reject
    assert plugins.judge(events.check_event_for_spam, **SPAM) == Reject()
    assert not plugins.summaries()[0].is_off


def test_being_busy_is_no_strike(plugins):
    def busy():
        raise PluginBusy("too many")

    plugins.register("loaded", Fails(busy))
    for _ in range(5):
        with pytest.raises(PluginUnavailable):
            plugins.judge(permissions.check_login, **LOGIN)
    assert not plugins.summaries()[0].is_off
    assert meter(plugins, "check_login").failures == {"busy": 5}


def test_an_observed_plugin_is_asked_and_its_verdict_logged_but_not_applied(plugins, caplog):
    caplog.set_level(logging.INFO)
    plugins.register("new", Rejects(), GuardSettings(observe_only=True))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == ALLOW
    assert "plugin new, only observed, answers check_event_for_spam with M_FORBIDDEN (Spam.)" in caplog.text
    assert meter(plugins, "check_event_for_spam").observed == 1


def test_an_observed_plugin_neither_lets_anybody_in_nor_keeps_anybody_out(plugins):
    plugins.register("new", Rejects(), GuardSettings(observe_only=True))
    plugins.register("broken", Fails(raises), GuardSettings(observe_only=True))
    assert plugins.ask(passwords.verify_password, stored_hash="x", password="y") is None
    assert plugins.judge(permissions.check_login, **LOGIN) == ALLOW


def test_a_contributed_function_fails_as_one_exception_and_counts_strikes(plugins):
    plugins.register("broken", Fails(raises))
    for sentence in ["ZeroDivisionError: oops"] * 3 + ["it is switched off after failing repeatedly"]:
        with pytest.raises(PluginFailed, match=f"The plugin broken failed in job:tidy: {sentence}"):
            plugins.run("broken", "job:tidy", 10, raises)


def test_a_contributed_function_gets_its_arguments_and_returns_its_answer(plugins):
    plugins.register("fine", Rejects())
    assert plugins.run("fine", "section:sum", 10, lambda a, b: a + b, 1, 2) == 3


def test_a_hook_that_nobody_implements_costs_less_than_two_microseconds(plugins):
    best = 1.0
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(1000):
            plugins.judge(events.check_event_for_spam, event=None, sender="@a:b", room=None)
        best = min(best, (time.perf_counter() - started) / 1000)
    assert best < 2e-6
