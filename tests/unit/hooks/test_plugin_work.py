"""Work of plugins outside requests."""

import gevent
import pytest
from gevent.event import Event

from core.hooks import PluginBusy, hookimpl
from core.hooks.manager import PluginManager
from core.wiring import plugin_work
from core.wiring.plugin_work import PluginWork


class Quiet:
    """A plugin that does nothing by itself."""

    @hookimpl
    def server_started(self):
        pass


@pytest.fixture
def plugins():
    plugins = PluginManager()
    plugins.register("quiet", Quiet())
    return plugins


@pytest.fixture
def work(plugins):
    work = PluginWork(plugins, "quiet")
    yield work
    work.stop()


def test_work_is_done_and_counted_under_its_name(plugins, work):
    done = Event()
    work.spawn("tidy", done.set)
    assert done.wait(5)
    gevent.idle()
    assert [meter.calls for meter in plugins.meters() if meter.hook == "work:tidy"] == [1]


def test_a_failure_is_the_plugins_and_the_next_work_is_done(plugins, work):
    done = Event()
    work.spawn("fail", lambda: 1 / 0)
    work.spawn("tidy", done.set)
    assert done.wait(5)
    assert [meter.failures for meter in plugins.meters() if meter.hook == "work:fail"] == [{"error": 1}]


def test_work_that_waits_ends_with_the_server(work):
    done = Event()
    work.spawn("tidy", done.set, after_seconds=60)
    gevent.idle()
    work.stop()
    assert not done.is_set()


def test_there_is_a_limit_to_what_may_wait(plugins, monkeypatch):
    monkeypatch.setattr(plugin_work, "MAX_TASKS", 1)
    work = PluginWork(plugins, "quiet")
    work.spawn("tidy", print, after_seconds=60)
    with pytest.raises(PluginBusy):
        work.spawn("tidy", print, after_seconds=60)
    work.stop()
