"""Taking plugins in, in which order they are asked, and what they may contribute."""

import argparse

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from core.events.event import Event
from core.events.room_versions import room_version
from core.hooks import ALLOW, Consumer, Job, LogKind, LogLine, PluginError, Reject, SyncSection, hookimpl
from core.hooks.delivery import event_consumers
from core.hooks.guard import GuardSettings
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions, events, permissions

SPAM = {"event": None, "sender": "@a:b", "room": None}


def judging(answer, **options):
    class Judge:
        @hookimpl(**options)
        def check_event_for_spam(self):
            return answer

    return Judge()


def contributing(hook, answer):
    function = hookimpl(lambda self: answer, specname=hook)
    return type("Contributor", (), {hook: function})()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "check_evnt_for_spam",
            "implements check_evnt_for_spam, which is no hook; the nearest is check_event_for_spam.",
        ),
        ("brew_tea", "implements brew_tea, which is no hook of this server."),
    ],
)
def test_a_misspelt_hook_is_named_with_its_nearest_neighbor(plugins, name, sentence):
    with pytest.raises(PluginError) as caught:
        plugins.register("typo", type("Typo", (), {name: hookimpl(lambda self: None)})())
    assert str(caught.value) == f"The plugin typo {sentence}"


def test_an_argument_the_hook_does_not_have_is_named(plugins):
    class Curious:
        @hookimpl
        def user_may_create_alias(self, alias, database):
            """Wants more than there is."""

    with pytest.raises(PluginError) as caught:
        plugins.register("curious", Curious())
    assert str(caught.value) == (
        "The plugin curious implements user_may_create_alias with an argument database that the hook does not have;"
        " it has user_id, alias, room_id."
    )


def test_an_argument_with_a_default_is_filled_where_the_hook_has_it(plugins):
    class Careful:
        @hookimpl
        def user_may_create_alias(self, alias, room_id="", added_in_a_later_version="no"):
            return Reject(reason=f"{alias} {room_id} {added_in_a_later_version}")

    plugins.register("careful", Careful())
    verdict = plugins.judge(permissions.user_may_create_alias, user_id="@a:b", alias="#x:b", room_id="!r:b")
    assert verdict.reason == "#x:b !r:b no"


def test_a_plugin_without_a_single_hook_is_refused(plugins):
    with pytest.raises(PluginError, match="The plugin empty implements no hook"):
        plugins.register("empty", object())


def test_a_wrapper_is_refused(plugins):
    with pytest.raises(PluginError, match="The plugin onion wraps check_event_for_spam"):
        plugins.register("onion", judging(None, wrapper=True))


def test_a_hook_without_its_mark_is_pointed_out(plugins, caplog):
    class Forgetful:
        def check_event_for_spam(self):
            """Not marked."""

        @hookimpl
        def server_started(self):
            """Marked."""

    plugins.register("forgetful", Forgetful())
    assert "plugin forgetful has a check_event_for_spam that is not marked with hookimpl" in caplog.text


def test_two_plugins_of_one_name_are_refused(plugins):
    plugins.register("twin", judging(None))
    with pytest.raises(PluginError, match="two plugins called twin"):
        plugins.register("twin", judging(None))


def test_a_time_limit_for_something_that_is_no_hook_is_refused(plugins):
    with pytest.raises(PluginError, match="limit check_spam, which is no hook"):
        plugins.register("odd", judging(None), GuardSettings(time_limits={"check_spam": 1}))


def test_the_first_answer_wins_in_the_order_of_loading(plugins):
    for name, answer in [("a", None), ("b", Reject("M_B")), ("c", ALLOW)]:
        plugins.register(name, judging(answer))
    assert plugins.judge(events.check_event_for_spam, **SPAM) == Reject("M_B")


def test_a_plugin_may_ask_to_be_first_or_last(plugins):
    plugins.register("last", judging(Reject("M_LAST"), trylast=True))
    plugins.register("normal", judging(Reject("M_NORMAL")))
    plugins.register("first", judging(None, tryfirst=True))
    assert [i.plugin.name for i in plugins.implementers(events.check_event_for_spam)] == ["first", "normal", "last"]
    assert plugins.judge(events.check_event_for_spam, **SPAM) == Reject("M_NORMAL")


def test_contributions_come_with_the_name_of_their_plugin(plugins):
    job = Job("tidy", 60, print)
    plugins.register("a", contributing("contribute_background_jobs", [job]))
    plugins.register("b", contributing("contribute_background_jobs", None))
    plugins.register("c", contributing("contribute_background_jobs", [job]))
    found = plugins.contributions(contributions.contribute_background_jobs)
    assert [(c.plugin, c.item.name) for c in found] == [("a", "tidy"), ("c", "tidy")]


@pytest.mark.parametrize("answer", [[1], "text", Job("tidy", 60, print)])
def test_a_contribution_of_a_wrong_type_stops_the_start(plugins, answer):
    plugins.register("odd", contributing("contribute_background_jobs", answer))
    with pytest.raises(PluginError, match="The plugin odd fails in contribute_background_jobs: it answered with"):
        plugins.contributions(contributions.contribute_background_jobs)


def test_two_plugins_may_not_contribute_the_same_section(plugins):
    for name in ("a", "b"):
        plugins.register(name, contributing("contribute_sync_sections", [SyncSection("presence", print)]))
    with pytest.raises(PluginError, match="a and b both contribute a SyncSection called presence"):
        plugins.contributions(contributions.contribute_sync_sections)


def test_one_plugin_may_not_contribute_two_consumers_of_one_name(plugins):
    consumer = Consumer("count", frozenset({LogKind.EVENT}), print)
    plugins.register("a", contributing("contribute_consumers", [consumer, consumer]))
    with pytest.raises(PluginError, match="Consumer called count"):
        plugins.contributions(contributions.contribute_consumers)


def test_only_one_plugin_carries_the_mail(plugins):
    class Transport:
        def send(self, mail):
            """Drop it."""

    assert plugins.contribution(contributions.contribute_mail_transport) is None
    plugins.register("a", contributing("contribute_mail_transport", Transport()))
    assert plugins.contribution(contributions.contribute_mail_transport).plugin == "a"
    plugins.register("b", contributing("contribute_mail_transport", Transport()))
    with pytest.raises(PluginError, match="The plugins a and b both answer contribute_mail_transport"):
        plugins.contribution(contributions.contribute_mail_transport)


def test_a_plugin_whose_commands_fail_is_named(plugins):
    class Broken:
        @hookimpl
        def contribute_commands(self, subparsers):
            subparsers.add_parser("x").add_argument("--a", nonsense=1)

    plugins.register("broken", Broken())
    subparsers = argparse.ArgumentParser().add_subparsers()
    with pytest.raises(PluginError, match="The plugin broken fails in contribute_commands: TypeError"):
        plugins.tell(contributions.contribute_commands, subparsers=subparsers)


def test_each_observer_of_events_has_a_consumer_of_its_own(plugins):
    seen = []

    class Observer:
        @hookimpl
        def event_persisted(self, event, room):
            seen.append((event.event_id, room))

    plugins.register("a", Observer())
    plugins.register("b", Observer())
    first, second = event_consumers(plugins, lambda room_id: f"view of {room_id}")
    event = Event(room_version("11"), "$e", "!r:b", "m.x", "@a:b", None, {}, (), (), 1, 1, None, {})
    first.item.handle([LogLine(5, LogKind.EVENT, event=event)])
    assert (first.plugin, second.plugin, seen) == ("a", "b", [("$e", "view of !r:b")])


def test_calls_failures_and_standing_are_shown_to_prometheus():
    registry = CollectorRegistry()
    plugins = PluginManager(registry=registry)
    plugins.register("odd", judging(1))
    for _ in range(3):
        plugins.judge(events.check_event_for_spam, **SPAM)
    text = generate_latest(registry).decode()
    labels = 'hook="check_event_for_spam",plugin="odd"'
    assert f"trellis_hook_seconds_count{{{labels}}} 3.0" in text
    assert f'trellis_hook_failures_total{{cause="answer",{labels}}} 3.0' in text
    assert 'trellis_plugin_off{plugin="odd"} 1.0' in text
