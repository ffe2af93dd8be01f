"""The presence plugin without a server: what it tells, to whom, and when."""

from types import SimpleNamespace

import pytest

from core.hooks import Forbidden, PluginError, Requester, SyncRange
from plugins.presence import plugin, tracker
from plugins.presence.plugin import FLUSH_SECONDS, Presence, PresenceSettings
from plugins.presence.tracker import IDLE_SECONDS, OFFLINE_SECONDS, Tracker

ALICE, BOB, CAROL = "@alice:here", "@bob:here", "@carol:there"


class World:
    """A clock, rooms, a counter of ticks, and the work that was asked for."""

    def __init__(self, **settings):
        self.now = 1000.0
        self.rooms = {ALICE: ["!1"], BOB: ["!1", "!2"], CAROL: ["!2"]}
        self.ticks, self.edus, self.work = 0, [], []
        api = SimpleNamespace(
            server=SimpleNamespace(server_name="here"),
            rooms=SimpleNamespace(
                rooms_of=lambda user: self.rooms.get(user, []),
                is_in_any=lambda user, rooms: not set(self.rooms.get(user, [])).isdisjoint(rooms),
                servers_sharing=lambda user: ["there"] if user == BOB else [],
            ),
            sync=SimpleNamespace(advance=self._advance),
            federation=SimpleNamespace(send_edu=lambda *edu: self.edus.append(edu)),
            work=SimpleNamespace(
                spawn=lambda name, function, after_seconds: self.work.append((function, after_seconds))
            ),
        )
        self.plugin = Presence(PresenceSettings(**settings), api, lambda: self.now)

    def _advance(self, rooms, users=()):
        self.ticks += 1
        return self.ticks

    def run(self):
        """Go on to the next time of telling."""
        function, wait = self.work.pop(0)
        self.now += wait
        function()
        return wait

    def read(self, user, since_tick=None, joined=(), **filter):
        """{sender: content} of what a sync of the user tells."""
        asked = SyncRange(user, "D", 1, 2, since_tick, self.ticks, filter, frozenset(joined))
        events = (self.plugin.read(asked) or {"events": []})["events"]
        return {event["sender"]: event["content"] for event in events}

    def put(self, user, state, message=None):
        self.plugin.set_status(Requester(user, 1, "D", 1), state, message)


@pytest.fixture
def world():
    return World()


def test_what_a_user_says_is_told_at_once_to_who_shares_a_room(world):
    world.put(BOB, "unavailable", "lunch")
    world.now += 2
    told = {BOB: {"presence": "unavailable", "status_msg": "lunch", "last_active_ago": 2000}}
    assert world.read(ALICE) == world.read(CAROL) == world.read(ALICE, 0) == told
    assert world.read("@dave:here") == {}
    assert world.read(ALICE, since_tick=world.ticks) == {}
    assert [(edu[0], edu[2], edu[3]) for edu in world.edus] == [("m.presence", ["there"], BOB)]


def test_a_device_that_syncs_is_online_until_it_has_been_gone_for_long(world):
    world.plugin.user_active(BOB, "D", "online", False)
    assert world.run() == 0
    assert world.read(ALICE)[BOB]["presence"] == "online"
    since = world.ticks
    while world.work:
        world.run()
    assert OFFLINE_SECONDS <= world.now - 1000 <= OFFLINE_SECONDS + FLUSH_SECONDS
    assert world.read(ALICE, since) == {BOB: {"presence": "offline", "last_active_ago": int((world.now - 1000) * 1000)}}
    assert world.read(ALICE) == {}


def test_who_does_nothing_for_long_is_unavailable_until_they_act(world):
    world.plugin.user_active(BOB, "D", "online", False)
    began = world.now
    while world.now < began + IDLE_SECONDS - FLUSH_SECONDS:
        world.run()
        assert world.read(ALICE)[BOB]["presence"] == "online"
        world.plugin.user_active(BOB, "D", "online", False)
    world.run()
    assert world.read(ALICE)[BOB]["presence"] == "unavailable"
    world.plugin.user_active(BOB, "D", "online", True)
    world.run()
    assert world.read(ALICE)[BOB] == {"presence": "online", "currently_active": True, "last_active_ago": 10_000}


def test_comings_and_goings_are_told_once_in_a_while(world):
    world.plugin.user_active(BOB, "D", "online", False)
    world.run()
    for number in range(20):
        world.plugin.user_active(BOB, "D", ("unavailable", "online")[number % 2], False)
    assert len(world.work) == 1
    assert world.run() == FLUSH_SECONDS
    assert world.ticks == 1


def test_who_does_not_fit_into_the_budget_is_told_the_next_time(world, monkeypatch):
    spent = iter(range(100))
    monkeypatch.setattr(plugin.time, "thread_time", lambda: next(spent))
    for user in (ALICE, BOB):
        world.plugin.user_active(user, "D", "online", False)
    world.run()
    assert set(world.read(ALICE)) == {ALICE}
    world.run()
    assert set(world.read(ALICE)) == {ALICE, BOB}


def test_nobody_is_told_that_they_are_online_themselves_but_their_devices_know_what_they_said(world):
    world.plugin.user_active(BOB, "D", "online", False)
    world.run()
    assert world.read(BOB, 0) == {}
    assert set(world.read(BOB)) == {BOB}
    since = world.ticks
    world.put(BOB, "online", "hi")
    assert world.read(BOB, since)[BOB]["status_msg"] == "hi"


def test_who_comes_into_a_room_sees_who_is_online_there_and_is_seen(world):
    world.put(BOB, "online")
    world.put(CAROL, "online")
    world.put("@erin:here", "online")
    since = world.ticks
    world.rooms["@erin:here"] = ["!2"]
    world.plugin.user_joined("@erin:here", "!2")
    assert set(world.read("@erin:here", since, joined=["!2"])) == {BOB, CAROL}
    assert set(world.read(BOB, since)) == {"@erin:here"}
    assert world.read("@erin:here", world.ticks) == world.read(ALICE, since) == {}


def test_the_most_present_device_counts(world):
    for device, state in (("A", "unavailable"), ("B", "online"), ("B", "offline")):
        world.plugin.user_active(BOB, device, state, False)
    assert world.plugin.read_status(Requester(ALICE, 1, "D", 1), BOB)["presence"] == "online"
    world.plugin.user_active(BOB, "B", "unavailable", False)
    assert world.plugin.read_status(Requester(ALICE, 1, "D", 1), BOB)["presence"] == "unavailable"


def test_a_sync_that_does_not_want_to_show_leaves_no_trace(world):
    world.plugin.user_active(BOB, "D", "offline", False)
    assert world.work == []


def test_only_who_shares_a_room_may_ask(world):
    assert world.plugin.read_status(Requester(CAROL, 1, "D", 1), BOB) == {"presence": "offline"}
    with pytest.raises(Forbidden):
        world.plugin.read_status(Requester(CAROL, 1, "D", 1), ALICE)


def test_another_server_speaks_for_its_own_users_only(world):
    pushed = [
        {"user_id": CAROL, "presence": "online", "last_active_ago": 5000},
        {"user_id": BOB, "presence": "online"},
        {"user_id": "@nobody:there", "presence": "online"},
        {"user_id": CAROL, "presence": "dancing"},
        "junk",
    ]
    world.plugin.receive("there", {"push": pushed})
    world.run()
    assert world.read(BOB) == {CAROL: {"presence": "online", "last_active_ago": 5000, "currently_active": True}}
    assert world.edus == []
    world.plugin.receive("there", {"push": "junk"})


def test_filters_of_syncs_are_honored(world):
    world.put(BOB, "online")
    world.put(ALICE, "online")
    assert set(world.read(BOB, limit=1)) == {BOB}
    assert set(world.read(BOB, limit=2)) == {ALICE, BOB}
    assert set(world.read(BOB, senders={BOB})) == {BOB}
    assert world.read(BOB, not_senders={BOB, ALICE}) == {}
    assert world.read(BOB, types=["m.room.*"]) == world.read(BOB, types=[]) == {}
    assert world.read(BOB, not_types=["m.pres*"]) == {}


def test_a_first_sync_names_who_is_offline_only_where_that_is_wanted():
    for include_offline in (False, True):
        world = World(include_offline=include_offline)
        world.put(BOB, "online")
        world.put(BOB, "offline")
        assert (BOB in world.read(ALICE)) is include_offline


def test_turned_off_it_notes_nothing_and_adds_nothing_to_syncs():
    world = World(enabled=False)
    world.plugin.user_active(BOB, "D", "online", False)
    world.put(BOB, "online")
    assert world.plugin.contribute_sync_sections() == world.plugin.contribute_edus() == world.work == []
    assert world.plugin.read_status(Requester(BOB, 1, "D", 1), BOB) == {"presence": "offline"}


def test_untracked_it_passes_on_what_others_say():
    world = World(enabled="untracked")
    world.plugin.user_active(BOB, "D", "online", False)
    assert world.work == []
    world.plugin.receive("there", {"push": [{"user_id": CAROL, "presence": "online"}]})
    world.run()
    assert set(world.read(BOB)) == {CAROL}


@pytest.mark.parametrize("config", [{"enabled": "yes"}, {"include_offline": 1}, {"speed": 3}])
def test_a_wrong_setting_is_explained(config):
    with pytest.raises(PluginError):
        Presence.parse_config(config)


def test_of_too_many_users_the_one_told_longest_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr(tracker, "MAX_USERS", 2)
    kept = Tracker()
    for tick, user in enumerate((ALICE, BOB, CAROL), 1):
        kept.tell(kept.seen(user, "D", "online", 0.0), tick, frozenset())
    assert kept.find(ALICE) is None
    assert [record.user_id for record in kept.since(0)] == [CAROL, BOB]
    kept.expire(OFFLINE_SECONDS)
    assert {record.user_id for record in kept.untold()} == {BOB, CAROL}
