"""EDUs and unsigned fields of plugins, apart from a server."""

from types import SimpleNamespace

import pytest

from core.graph.unsigned_fields import ContributedFields
from core.hooks import Edu, PluginError, UnsignedFields, hookimpl
from core.hooks.edus import ContributedEdus
from core.hooks.manager import Contribution, PluginManager

EVENTS = [SimpleNamespace(event=SimpleNamespace(event_id=name, sender="@a:b")) for name in ("$1", "$2")]


class Empty:
    @hookimpl
    def server_started(self):
        """Nothing."""


@pytest.fixture
def plugins():
    manager = PluginManager()
    manager.register("shop", Empty())
    manager.register("stall", Empty())
    return manager


def fields(plugins, *contributed):
    return ContributedFields(
        plugins,
        [Contribution(plugin, UnsignedFields(frozenset(names), compose)) for plugin, names, compose in contributed],
    )


def test_fields_of_several_plugins_stand_side_by_side_and_undeclared_ones_are_left_out(plugins):
    made = fields(
        plugins,
        ("shop", ["price"], lambda viewer, events: {events[0].event_id: {"price": 3, "age": 5}}),
        ("stall", ["for"], lambda viewer, events: {event.event_id: {"for": viewer} for event in events}),
    )
    assert made.of(EVENTS, "@a:b") == {"$1": b'"price":3,"for":"@a:b"', "$2": b'"for":"@a:b"'}


@pytest.mark.parametrize("answer", [None, 5, {"$1": 5}, {"$1": {"price": object()}}])
def test_fields_that_cannot_be_written_are_left_out(plugins, answer):
    made = fields(plugins, ("shop", ["price"], lambda viewer, events: answer))
    assert made.of(EVENTS, "@a:b") == {}


def test_a_plugin_that_fails_is_left_out_and_counted(plugins):
    made = fields(plugins, ("shop", ["price"], lambda viewer, events: 1 / 0))
    assert made.of(EVENTS, "@a:b") == {}
    assert [meter.failures for meter in plugins.meters() if meter.hook == "unsigned_fields"] == [{"error": 1}]


def test_a_field_has_one_owner(plugins):
    with pytest.raises(PluginError, match="stall adds price to the unsigned of events, which is set by shop"):
        fields(plugins, ("shop", ["price"], None), ("stall", ["price"], None))
    with pytest.raises(PluginError, match="shop adds age to the unsigned of events, which is set by the server itself"):
        fields(plugins, ("shop", ["age"], None))


def test_an_edu_goes_to_the_plugin_that_knows_its_type(plugins):
    seen = []
    edus = ContributedEdus(plugins, [Contribution("shop", Edu("a.b", lambda *what: seen.append(what)))])
    assert edus.types == {"a.b"}
    assert edus.receive("far.test", "a.b", {"c": 1})
    assert not edus.receive("far.test", "x", {})
    assert seen == [("far.test", {"c": 1})]


def test_an_edu_that_a_plugin_cannot_take_is_dropped(plugins):
    edus = ContributedEdus(plugins, [Contribution("shop", Edu("a.b", lambda origin, content: content["c"]))])
    assert not edus.receive("far.test", "a.b", {})


def test_an_edu_of_the_servers_own_stops_the_start(plugins):
    with pytest.raises(PluginError, match=r"shop takes EDUs of type m\.typing, which the server handles"):
        ContributedEdus(plugins, [Contribution("shop", Edu("m.typing", print))], {"m.typing"})
