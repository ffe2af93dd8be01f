"""What a filter keeps out of a sync, and what lazy loading leaves for later."""

from __future__ import annotations

import json

import pytest

from tests.api.client.sync_room import at, bodies, events, joined, state, wanted
from tests.servers.trellis import Refused

LAZY = wanted(state={"lazy_load_members": True})
REDUNDANT = wanted(state={"lazy_load_members": True, "include_redundant_members": True})


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat", name="Filtered")
    bob.join(room)
    return room


def members(part: dict) -> set[str]:
    """Whose member events the state carries."""
    return {key for kind, key in state(part) if kind == "m.room.member"}


def test_a_stored_filter_works_as_one_written_out(alice, bob, room):
    bob.send(room, "text")
    bob.send(room, {"a": 1}, type_="org.example.other")
    body = {"room": {"timeline": {"types": ["org.example.*"]}}}
    stored = alice.post(f"/v3/user/{alice.user_id}/filter", body)["filter_id"]
    by_id, inline = alice.sync(filter=stored), alice.sync(filter=json.dumps(body))
    assert [event["type"] for event in events(joined(by_id, room))] == ["org.example.other"]
    assert events(joined(inline, room))[0]["event_id"] == events(joined(by_id, room))[0]["event_id"]


@pytest.mark.parametrize(
    ("given", "errcode"),
    [
        ("4711", "M_INVALID_PARAM"),
        ("{", "M_NOT_JSON"),
        ('{"room":[]}', "M_BAD_JSON"),
        ('{"room":{"timeline":{"limit":"ten"}}}', "M_BAD_JSON"),
    ],
)
def test_a_filter_that_is_none_is_refused(alice, given, errcode):
    with pytest.raises(Refused) as refused:
        alice.sync(filter=given)
    assert (refused.value.status, refused.value.errcode) == (400, errcode)


def test_the_limit_counts_what_passes_the_filter(alice, bob, room):
    token = alice.sync()["next_batch"]
    for number in range(4):
        bob.send(room, f"m{number}")
        bob.send(room, {}, type_="org.example.noise")
    part = joined(alice.sync(token, filter=wanted(timeline={"types": ["m.room.message"], "limit": 4})), room)
    assert bodies(part) == ["m0", "m1", "m2", "m3"]
    assert part["timeline"]["limited"] is False
    part = joined(alice.sync(token, filter=wanted(timeline={"types": ["m.room.message"], "limit": 3})), room)
    assert bodies(part) == ["m1", "m2", "m3"]
    assert part["timeline"]["limited"] is True


def test_senders_can_be_chosen_and_kept_out(alice, bob, room):
    token = alice.sync()["next_batch"]
    alice.send(room, "a")
    bob.send(room, "b")
    assert bodies(joined(alice.sync(token, filter=wanted(timeline={"senders": [bob.user_id]})), room)) == ["b"]
    assert bodies(joined(alice.sync(token, filter=wanted(timeline={"not_senders": [bob.user_id]})), room)) == ["a"]


def test_rooms_can_be_chosen_and_kept_out(alice, room):
    other = alice.create_room()
    assert list(alice.sync(filter=wanted(rooms=[other]))["rooms"]["join"]) == [other]
    assert room not in alice.sync(filter=wanted(not_rooms=[room]))["rooms"]["join"]


def test_events_with_links_can_be_chosen(alice, bob, room):
    token = alice.sync()["next_batch"]
    bob.send(room, {"body": "plain", "msgtype": "m.text"})
    bob.send(room, {"body": "linked", "msgtype": "m.file", "url": "mxc://a/b"})
    assert bodies(joined(alice.sync(token, filter=wanted(timeline={"contains_url": True})), room)) == ["linked"]


def test_threads_can_be_chosen_by_what_relates_to_an_event(alice, bob, room):
    token = alice.sync()["next_batch"]
    root = bob.send(room, "root")
    bob.send(room, "alone")
    alice.send(
        room, {"body": "in thread", "msgtype": "m.text", "m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    )
    chosen = wanted(timeline={"related_by_rel_types": ["m.thread"]})
    assert bodies(joined(alice.sync(token, filter=chosen), room)) == ["root"]


def test_the_state_can_be_filtered_by_type(alice, bob, room):
    for number in range(10):
        bob.send(room, f"m{number}")
    part = joined(alice.sync(filter=wanted(state={"types": ["m.room.name"]})), room)
    assert state(part) == {("m.room.name", ""): {"name": "Filtered"}}


def test_a_filter_without_any_type_gives_no_timeline(alice, bob, room):
    bob.send(room, "x")
    part = joined(alice.sync(filter=wanted(timeline={"types": []})), room)
    assert events(part) == []
    assert ("m.room.name", "") in state(part)


def test_events_can_be_cut_to_some_fields(alice, bob, room):
    token = alice.sync()["next_batch"]
    bob.send(room, "cut")
    answer = alice.sync(token, filter=json.dumps({"event_fields": ["content.body", "sender"]}))
    assert events(joined(answer, room)) == [{"content": {"body": "cut"}, "sender": bob.user_id}]


def test_events_can_be_had_in_the_form_that_servers_exchange(alice, bob, room):
    token = alice.sync()["next_batch"]
    bob.send(room, "signed")
    (event,) = events(joined(alice.sync(token, filter=json.dumps({"event_format": "federation"})), room))
    assert event["content"]["body"] == "signed"
    assert event["signatures"]
    assert event["prev_events"]


def test_account_data_can_be_filtered(alice, room):
    alice.put(f"/v3/user/{alice.user_id}/account_data/org.a", {})
    alice.put(f"/v3/user/{alice.user_id}/account_data/org.b", {})
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.c", {})
    given = {"account_data": {"types": ["org.a"]}, "room": {"account_data": {"not_types": ["org.*"]}}}
    answer = alice.sync(filter=json.dumps(given))
    assert [event["type"] for event in answer["account_data"]["events"]] == ["org.a"]
    assert events(joined(answer, room), "account_data") == []


def test_lazy_loading_sends_the_members_whom_the_timeline_needs(server, alice, bob, room):
    for _ in range(3):
        server.register().join(room)
    for number in range(10):
        bob.send(room, f"m{number}")
    assert members(joined(alice.sync(filter=LAZY), room)) == {alice.user_id, bob.user_id}


def test_lazy_loading_sends_a_member_once(alice, bob, room):
    for number in range(10):
        alice.send(room, f"m{number}")
    answer = alice.sync(filter=LAZY)
    for expected in ({bob.user_id}, set()):
        bob.send(room, "again")
        answer = alice.sync(answer["next_batch"], filter=LAZY)
        assert members(joined(answer, room)) == expected
        answer = alice.sync(answer["next_batch"], timeout=10, filter=LAZY)


def test_lazy_loading_sends_a_member_again_where_the_answer_was_lost(alice, bob, room):
    for number in range(10):
        alice.send(room, f"m{number}")
    token = alice.sync(filter=LAZY)["next_batch"]
    bob.send(room, "hello")
    lost, again = alice.sync(token, filter=LAZY), alice.sync(token, filter=LAZY)
    assert members(joined(lost, room)) == members(joined(again, room)) == {bob.user_id}


def test_redundant_members_come_each_time_where_they_are_asked_for(alice, bob, room):
    token = alice.sync(filter=REDUNDANT)["next_batch"]
    for _ in range(2):
        bob.send(room, "again")
        answer = alice.sync(token, filter=REDUNDANT)
        assert members(joined(answer, room)) == {bob.user_id}
        token = answer["next_batch"]


def test_lazy_loading_sends_the_members_that_changed_in_a_gap(server, alice, bob, room):
    token = alice.sync(filter=LAZY)["next_batch"]
    carol = server.register()
    carol.join(room)
    for number in range(10):
        bob.send(room, f"m{number}")
    part = joined(alice.sync(token, filter=LAZY), room)
    assert part["timeline"]["limited"] is True
    assert members(part) == {carol.user_id}


def test_a_changed_name_is_known_from_the_timeline_and_not_sent_twice(alice, bob, room):
    for number in range(10):
        alice.send(room, f"m{number}")
    token = alice.sync(filter=LAZY)["next_batch"]
    bob.set_state(room, "m.room.member", {"membership": "join", "displayname": "Bobby"}, bob.user_id)
    answer = alice.sync(token, filter=LAZY)
    bob.send(room, "hello")
    answer = alice.sync(answer["next_batch"], filter=LAZY)
    assert members(joined(answer, room)) == set()
    assert bodies(joined(answer, room)) == ["hello"]


def test_lazy_loading_sends_the_heroes_of_a_room_without_a_name(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    for number in range(10):
        alice.send(room, f"m{number}")
    part = joined(alice.sync(filter=LAZY), room)
    assert part["summary"]["m.heroes"] == [bob.user_id]
    assert bob.user_id in members(part)


def test_who_joins_gets_their_own_member_event_under_lazy_loading(server, alice, room):
    carol = server.register()
    token = carol.sync(filter=LAZY)["next_batch"]
    carol.join(room)
    for number in range(10):
        alice.send(room, f"m{number}")
    assert members(joined(carol.sync(token, filter=LAZY), room)) == {alice.user_id, carol.user_id}
    assert carol.get(f"{at(room)}/joined_members")["joined"].keys() > {carol.user_id}
