"""Sending and reading back: transaction ids, pages, contexts, states as one left them."""

import pytest

from tests.servers.trellis import Refused


def bodies(chunk):
    return [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]


def test_a_repeated_request_sends_one_event(alice):
    room = alice.create_room()
    path = f"/v3/rooms/{room}/send/m.room.message/same"
    first = alice.put(path, {"msgtype": "m.text", "body": "once"})
    assert alice.put(path, {"msgtype": "m.text", "body": "once"}) == first
    assert bodies(alice.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"]) == ["once"]


def test_pages_show_each_event_once_in_both_directions(alice):
    room = alice.create_room()
    for n in range(25):
        alice.send(room, str(n))
    for direction, expected in (("b", list(range(24, -1, -1))), ("f", list(range(25)))):
        found, token = [], None
        while True:
            page = alice.get(f"/v3/rooms/{room}/messages", dir=direction, limit=7, **({"from": token} if token else {}))
            found += bodies(page["chunk"])
            token = page.get("end")
            if token is None:
                break
        assert found == [str(n) for n in expected]


def test_a_page_can_be_filtered(alice):
    room = alice.create_room(name="x")
    alice.send(room, "hello")
    page = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=50, filter='{"types":["m.room.message"]}')
    assert [event["type"] for event in page["chunk"]] == ["m.room.message"]


def test_an_event_is_shown_in_its_context(alice):
    room = alice.create_room()
    events = [alice.send(room, str(n)) for n in range(9)]
    around = alice.get(f"/v3/rooms/{room}/context/{events[4]}", limit=4)
    assert around["event"]["event_id"] == events[4]
    assert bodies(around["events_before"]) == ["3", "2"]
    assert bodies(around["events_after"]) == ["5", "6"]
    assert any(event["type"] == "m.room.create" for event in around["state"])


def test_who_left_sees_the_room_as_it_was_then(alice, bob):
    room = alice.create_room(preset="public_chat", name="Before")
    bob.join(room)
    alice.send(room, "while bob was here")
    bob.post(f"/v3/rooms/{room}/leave")
    alice.set_state(room, "m.room.name", {"name": "After"})
    alice.send(room, "behind bob's back")
    assert bob.get(f"/v3/rooms/{room}/state/m.room.name") == {"name": "Before"}
    assert bodies(bob.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"]) == ["while bob was here"]


def test_joined_visibility_hides_what_was_before_the_join(alice, bob):
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room = alice.create_room(preset="public_chat", initial_state=[visibility])
    early = alice.send(room, "early")
    bob.join(room)
    alice.send(room, "late")
    assert bodies(bob.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"]) == ["late"]
    with pytest.raises(Refused) as refused:
        bob.get(f"/v3/rooms/{room}/event/{early}")
    assert refused.value.status == 404


def test_strangers_read_only_world_readable_rooms(alice, bob):
    room = alice.create_room(preset="public_chat")
    with pytest.raises(Refused) as refused:
        bob.get(f"/v3/rooms/{room}/state")
    assert refused.value.status == 403
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert bob.call("GET", f"/v3/rooms/{room}/state")


def test_a_state_event_that_changes_nothing_is_not_sent_again(alice):
    room = alice.create_room()
    first = alice.set_state(room, "m.room.topic", {"topic": "a"})
    assert alice.set_state(room, "m.room.topic", {"topic": "a"}) == first
    assert alice.set_state(room, "m.room.topic", {"topic": "b"}) != first


def test_a_replaced_state_event_tells_what_it_replaced(alice):
    room = alice.create_room()
    first = alice.set_state(room, "m.room.topic", {"topic": "a"})
    second = alice.set_state(room, "m.room.topic", {"topic": "b"})
    unsigned = alice.get(f"/v3/rooms/{room}/event/{second}")["unsigned"]
    assert (unsigned["prev_content"], unsigned["replaces_state"]) == ({"topic": "a"}, first)


def test_an_event_that_is_too_large_is_refused(alice):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.send(room, "x" * 70_000)
    assert (refused.value.status, refused.value.errcode) == (413, "M_TOO_LARGE")


def test_a_canonical_alias_must_lead_to_the_room(alice, server):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.set_state(room, "m.room.canonical_alias", {"alias": f"#nowhere:{server.name}"})
    assert refused.value.errcode == "M_BAD_ALIAS"


def test_an_alias_is_removed_from_the_canonical_alias_event_too(alice, server):
    room = alice.create_room(room_alias_name="gone")
    alice.call("DELETE", f"/v3/directory/room/%23gone:{server.name}")
    assert alice.get(f"/v3/rooms/{room}/state/m.room.canonical_alias") == {}
    with pytest.raises(Refused) as refused:
        alice.get(f"/v3/directory/room/%23gone:{server.name}")
    assert refused.value.status == 404


@pytest.mark.parametrize("content", [{"n": 1.5}, {"n": 2**60}, []])
def test_contents_that_canonical_json_cannot_hold_are_refused(alice, content):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.put(f"/v3/rooms/{room}/send/m.room.message/t9", content)
    assert refused.value.errcode == "M_BAD_JSON"


def test_history_leaves_out_the_messages_of_ignored_users(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    mine = alice.send(room, "mine")
    bob.send(room, "ignored")
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {}})
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}})
    page = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=50)["chunk"]
    assert bodies(page) == ["mine"]
    assert any(event["sender"] == bob.user_id for event in page), "their state events stay"
    assert bodies(alice.get(f"/v3/rooms/{room}/context/{mine}")["events_after"]) == []


def test_a_page_says_that_it_starts_where_it_was_asked_to(alice):
    room = alice.create_room()
    token = alice.sync()["next_batch"]
    event = alice.send(room)
    page = alice.get(f"/v3/rooms/{room}/messages", dir="f", **{"from": token})
    assert [one["event_id"] for one in page["chunk"]] == [event]
    assert page["start"] == token


def test_the_filter_of_a_context_is_for_its_state_too(alice):
    room = alice.create_room()
    event = alice.send(room)
    around = alice.get(f"/v3/rooms/{room}/context/{event}", filter='{"types":["m.room.join_rules"]}')
    assert [one["type"] for one in around["state"]] == ["m.room.join_rules"]
    assert around["event"]["event_id"] == event


def test_an_empty_token_is_the_end_of_the_room(alice):
    room = alice.create_room()
    alice.send(room, "last")
    assert bodies(alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=1, **{"from": ""})["chunk"]) == ["last"]


def test_clients_that_know_no_transactions_send_and_redact(alice):
    room = alice.create_room()
    text = {"msgtype": "m.text", "body": "x"}
    first, second = (alice.post(f"/v3/rooms/{room}/send/m.room.message", text)["event_id"] for _ in range(2))
    assert first != second
    alice.post(f"/v3/rooms/{room}/redact/{first}", {"reason": "twice"})
    redacted = alice.get(f"/v3/rooms/{room}/event/{first}")
    assert (redacted["content"], redacted["unsigned"]["redacted_because"]["content"]["reason"]) == ({}, "twice")


@pytest.mark.parametrize("event_type", ["m.room.create", "m.room.server_acl"])
def test_what_a_room_cannot_do_without_is_not_redacted(alice, event_type):
    room = alice.create_room(initial_state=[{"type": "m.room.server_acl", "content": {"allow": ["*"]}}])
    event = next(one["event_id"] for one in alice.get(f"/v3/rooms/{room}/state") if one["type"] == event_type)
    with pytest.raises(Refused) as refused:
        alice.put(f"/v3/rooms/{room}/redact/{event}/1")
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    with pytest.raises(Refused):
        alice.send(room, {"redacts": event}, "m.room.redaction")


def test_history_is_filtered_by_how_events_relate(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    relation = {"rel_type": "m.thread", "event_id": root}
    reply = alice.send(room, {"msgtype": "m.text", "body": "reply", "m.relates_to": relation})
    wanted = '{"org.matrix.msc3874.rel_types":["m.thread"]}'
    page = alice.get(f"/v3/rooms/{room}/messages", dir="b", filter=wanted)
    assert [one["event_id"] for one in page["chunk"]] == [reply]


def test_who_ignores_themselves_still_sees_what_they_say(alice):
    room = alice.create_room()
    listed = {"ignored_users": {alice.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", listed)
    alice.send(room, "mine")
    assert bodies(alice.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"]) == ["mine"]
