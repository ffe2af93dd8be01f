"""Rooms as plugins reach them."""

import pytest

from core.errors import Forbidden, NotFound
from core.graph.client_events import ClientEvents
from core.graph.drafts import Draft
from core.graph.viewing import Viewing
from core.hooks.manager import PluginManager
from core.rooms.access import RoomAccess
from core.rooms.aliases import AliasChecks
from core.rooms.annotations import RelationRules
from core.rooms.remote_rooms import NoRemoteRooms
from core.rooms.residents import Residents
from core.rooms.sending import Sending
from core.storage.related_events import RelatedEventStore
from core.storage.room_aliases import RoomAliasStore
from core.sync.membership_changes import MembershipChanges
from core.sync.notifier import Notifier
from core.sync.plugin_sections import PluginSync
from core.wiring.plugin_rooms import PluginRooms
from tests.graph.conftest import OUR_SERVER
from tests.graph.local_room import ANNA, BEN, create_room, member, message

NOBODY = "@nobody-ever:here.test"


@pytest.fixture
def notifier(graph, database, tail):
    return Notifier(tail, graph.memberships, MembershipChanges(database, graph))


@pytest.fixture
def rooms(graph, database, notifier):
    viewing = Viewing(graph.states)
    checks = AliasChecks(graph, RoomAliasStore(database), NoRemoteRooms(), Residents(graph, OUR_SERVER), OUR_SERVER)
    sending = Sending(
        graph, RoomAccess(graph), checks, PluginManager(), RelationRules(graph, RelatedEventStore(database))
    )
    events = ClientEvents(graph.events, graph.states, viewing, graph.transaction_ids)
    return PluginRooms(graph, viewing, events, sending, None, notifier, OUR_SERVER)  # no memberships are sent here


@pytest.fixture
def room(graph):
    return create_room(graph)


def send(graph, room, *drafts):
    return [stored.event_id for stored in graph.write.send(room.room_nid, list(drafts))]


@pytest.mark.parametrize("is_syncing", [False, True])
def test_rooms_and_who_is_in_them_are_known_with_and_without_a_sync(rooms, graph, room, notifier, is_syncing):
    other = create_room(graph)
    send(graph, room, member(BEN))
    if is_syncing:
        notifier.user(graph.texts.nid(BEN))
    assert room.room_id in rooms.rooms_of(BEN)
    assert other.room_id not in rooms.rooms_of(BEN)
    assert rooms.is_in_any(BEN, [other.room_id, room.room_id, "!unknown:x"]) is True
    assert rooms.is_in_any(BEN, [other.room_id]) is rooms.is_in_any(BEN, []) is False
    assert {ANNA, BEN} <= set(rooms.users_sharing(BEN))


def test_of_somebody_unknown_nothing_is_known(rooms):
    assert rooms.rooms_of(NOBODY) == rooms.users_sharing(NOBODY) == rooms.servers_sharing(NOBODY) == []
    assert rooms.is_in_any(NOBODY, ["!x:y"]) is False
    assert rooms.find("!unknown:x") is None


def test_our_own_server_is_not_among_the_others(rooms, room):
    assert rooms.servers_sharing(ANNA) == []


def test_a_plugin_sends_as_a_user_under_the_users_power(rooms, graph, room):
    send(graph, room, member(BEN))
    sent = rooms.send(BEN, room.room_id, "m.room.message", {"body": "beep"})
    named = rooms.send(ANNA, room.room_id, "m.room.name", {"name": "Bots"}, "")
    assert rooms.events([sent, named, "$unknown"])[sent].content == {"body": "beep"}
    assert rooms.find(room.room_id).state_event("m.room.name").event_id == named
    with pytest.raises(Forbidden):
        rooms.send(BEN, room.room_id, "m.room.name", {"name": "Mine"}, "")


def test_events_and_their_surroundings_are_those_the_viewer_may_see(rooms, graph, room):
    hide = Draft("m.room.history_visibility", ANNA, {"history_visibility": "joined"}, "")
    _, hidden, _, first, second, third = send(
        graph, room, hide, message(), member(BEN), message(), message(), message()
    )
    assert set(rooms.visible_events(BEN, [hidden, second, "$unknown"])) == {second}
    before, after = rooms.around(BEN, second, 1, 5)
    assert ([event["event_id"] for event in before], [event["event_id"] for event in after]) == ([first], [third])
    with pytest.raises(NotFound):
        rooms.around(BEN, hidden, 1, 1)


def test_a_tick_is_news_for_the_users_and_for_who_is_in_the_rooms(graph, room, notifier):
    send(graph, room, member(BEN))
    anna, ben = (notifier.user(graph.texts.nid(user)) for user in (ANNA, BEN))
    sync = PluginSync(notifier, graph)
    tick = sync.advance(users=[ANNA, NOBODY])
    assert (anna.counted, ben.counted) == (tick, 0)
    later = sync.advance(rooms=[room.room_id, "!unknown:x"])
    assert later > tick
    assert (anna.counted, ben.counted) == (later, later)
