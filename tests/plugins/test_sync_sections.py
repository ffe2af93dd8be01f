"""Keys of syncs that plugins add."""

from types import SimpleNamespace

import pytest

from core.events.event_filter import parse_filter
from core.hooks import PluginError, SyncSection, hookimpl
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.ids import Requester
from core.sync.active_users import ActiveUser
from core.sync.asking import Window
from core.sync.plugin_sections import PluginSections

USER = ActiveUser(1, floor=5, joined={1, 2})
USER.own.update({1: 15, 2: 8, 3: 15})


class Adds:
    """A plugin with one section."""

    def __init__(self, name, read):
        self.section = SyncSection(name, read)

    @hookimpl
    def contribute_sync_sections(self):
        return [self.section]


class Names:
    """The rooms' names."""

    def names(self, nids):
        return {nid: SimpleNamespace(room_id=f"!{nid}") for nid in nids}


def sections(**readers):
    plugins = PluginManager()
    for name, read in readers.items():
        plugins.register(name, Adds(name, read))
    return PluginSections(plugins, plugins.contributions(contributions.contribute_sync_sections), Names())


def asking(counted_since=3, since=10, **filter):
    return SimpleNamespace(
        request=SimpleNamespace(requester=Requester("@a:x", 1, "D", 1)),
        window=Window(USER, since, 20, counted_since, 5),
        filter=parse_filter(filter),
    )


def test_what_a_section_reads_is_under_its_name_and_nothing_is_left_out():
    found = sections(weather=lambda asked: {"sun": True}, tides=lambda asked: None)
    assert found.news(asking()) == {"weather": b'{"sun":true}'}


def test_a_section_is_told_the_range_of_the_sync():
    asked = []
    found = sections(weather=asked.append)
    found.news(asking())
    found.news(asking(counted_since=0))
    found.current(asking())
    assert [(one.since, one.until, one.since_tick, one.until_tick) for one in asked] == [
        (10, 20, 3, 5),
        (10, 20, None, 5),
        (None, 20, None, 5),
    ]
    assert (asked[0].user_id, asked[0].device_id, asked[0].filter) == ("@a:x", "D", {})


def test_a_section_is_told_which_rooms_the_user_joined_or_all_where_that_is_not_known():
    asked = []
    found = sections(weather=asked.append)
    for since in (10, 15, 2):
        found.news(asking(since=since))
    assert [one.joined_rooms for one in asked] == [{"!1"}, set(), {"!1", "!2"}]


def test_presence_gets_its_filter():
    asked = []
    sections(presence=asked.append).news(asking(presence={"types": ["m.*"], "limit": 3}))
    assert (asked[0].filter["types"], asked[0].filter["limit"]) == (("m.*",), 3)


def test_a_section_that_fails_is_left_out():
    found = sections(weather=lambda asked: 1 / 0, tides=lambda asked: 4)
    assert found.news(asking()) == {"tides": b"4"}


def test_a_key_of_the_server_cannot_be_taken():
    with pytest.raises(PluginError, match="The plugin rooms adds rooms to syncs"):
        sections(rooms=lambda asked: None)
