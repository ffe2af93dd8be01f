"""Relations over HTTP: aggregations in every answer, related events by page, threads, reactions."""

import pytest

from tests.servers.trellis import Refused


def related(parent, rel_type, body="x", **more):
    return {"msgtype": "m.text", "body": body, "m.relates_to": {"event_id": parent, "rel_type": rel_type, **more}}


def edit(parent, body):
    return {**related(parent, "m.replace", f"* {body}"), "m.new_content": {"msgtype": "m.text", "body": body}}


def bundle(user, room, event):
    return user.get(f"/v3/rooms/{room}/event/{event}")["unsigned"].get("m.relations", {})


def ids(chunk):
    return [event["event_id"] for event in chunk]


def shared_room(alice, *others):
    room = alice.create_room(preset="public_chat")
    for other in others:
        other.join(room)
    return room


def test_the_latest_valid_edit_is_bundled_and_the_content_stays(alice, bob):
    room = shared_room(alice, bob)
    event = alice.send(room, "first")
    assert bundle(alice, room, event) == {}
    alice.send(room, edit(event, "second"))
    last = alice.send(room, edit(event, "third"))
    bob.send(room, edit(event, "not bob's to edit"))
    alice.send(room, related(event, "m.replace", "without new content"))
    found = alice.get(f"/v3/rooms/{room}/event/{event}")
    assert found["content"]["body"] == "first"
    assert found["unsigned"]["m.relations"]["m.replace"]["event_id"] == last
    assert found["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"] == "third"


def test_an_edit_of_an_edit_is_not_bundled(alice):
    room = alice.create_room()
    event = alice.send(room, "first")
    first = alice.send(room, edit(event, "second"))
    alice.send(room, edit(first, "third"))
    assert bundle(alice, room, first) == {}
    assert bundle(alice, room, event)["m.replace"]["event_id"] == first


def test_redacting_the_last_edit_brings_back_the_one_before(alice):
    room = alice.create_room()
    event = alice.send(room, "first")
    one, two = alice.send(room, edit(event, "second")), alice.send(room, edit(event, "third"))
    assert bundle(alice, room, event)["m.replace"]["event_id"] == two
    alice.put(f"/v3/rooms/{room}/redact/{two}/r1")
    assert bundle(alice, room, event)["m.replace"]["event_id"] == one
    alice.put(f"/v3/rooms/{room}/redact/{one}/r2")
    assert bundle(alice, room, event) == {}


def test_a_redacted_event_has_no_edit_but_keeps_its_thread(alice):
    room = alice.create_room()
    event = alice.send(room, "root")
    alice.send(room, edit(event, "edited"))
    reply = alice.send(room, related(event, "m.thread"))
    assert set(bundle(alice, room, event)) == {"m.replace", "m.thread"}
    alice.put(f"/v3/rooms/{room}/redact/{event}/r")
    assert bundle(alice, room, event)["m.thread"]["latest_event"]["event_id"] == reply
    assert "m.replace" not in bundle(alice, room, event)


def test_a_thread_is_summed_up_for_each_user(alice, bob, server):
    carol = server.register()
    room = shared_room(alice, bob, carol)
    root = alice.send(room, "root")
    bob.send(room, related(root, "m.thread", "one"))
    last = bob.send(room, related(root, "m.thread", "two"))
    for user, takes_part in ((alice, True), (bob, True), (carol, False)):
        thread = bundle(user, room, root)["m.thread"]
        assert (thread["count"], thread["current_user_participated"]) == (2, takes_part)
        assert thread["latest_event"]["event_id"] == last


def test_the_latest_event_of_a_thread_carries_its_own_edit(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    reply = alice.send(room, related(root, "m.thread", "reply"))
    assert "m.relations" not in bundle(alice, room, root)["m.thread"]["latest_event"]["unsigned"]
    last = alice.send(room, edit(reply, "edited"))
    latest = bundle(alice, room, root)["m.thread"]["latest_event"]
    assert latest["unsigned"]["m.relations"]["m.replace"]["event_id"] == last


def test_references_are_listed_and_reactions_are_not(alice):
    room = alice.create_room()
    event = alice.send(room, "poll")
    alice.send(room, related(event, "m.annotation", key="👍"), "m.reaction")
    votes = [alice.send(room, related(event, "m.reference"), "org.example.vote") for _ in range(2)]
    assert bundle(alice, room, event) == {"m.reference": {"chunk": [{"event_id": vote} for vote in votes]}}


def test_aggregations_come_with_every_kind_of_answer(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    last = alice.send(room, related(root, "m.thread"))
    page = alice.get(f"/v3/rooms/{room}/messages", dir="b")["chunk"]
    around = alice.get(f"/v3/rooms/{room}/context/{root}")["event"]
    synced = alice.sync()["rooms"]["join"][room]["timeline"]["events"]
    for event in (*page, around, *synced):
        if event["event_id"] == root:
            assert event["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"] == last
    assert "room_id" not in next(e for e in synced if e["event_id"] == root)["unsigned"]["m.relations"]["m.thread"]


def test_ignored_users_do_not_count(alice, bob):
    room = shared_room(alice, bob)
    root = alice.send(room, "root")
    own = alice.send(room, related(root, "m.thread"))
    bob.send(room, related(root, "m.thread"))
    bob.send(room, related(root, "m.reference"))
    assert bundle(alice, room, root)["m.thread"]["count"] == 2
    ignored = {"ignored_users": {bob.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
    found = bundle(alice, room, root)
    assert (found["m.thread"]["count"], found["m.thread"]["latest_event"]["event_id"]) == (1, own)
    assert "m.reference" not in found
    assert ids(alice.get(f"/v1/rooms/{room}/relations/{root}")["chunk"]) == [own]


def test_who_left_is_not_told_of_what_came_after(alice, bob):
    room = shared_room(alice, bob)
    root = alice.send(room, "root")
    before = alice.send(room, related(root, "m.thread"))
    bob.post(f"/v3/rooms/{room}/leave")
    alice.send(room, related(root, "m.thread", "secret"))
    alice.send(room, edit(root, "secret"))
    found = bundle(bob, room, root)
    assert found["m.thread"]["latest_event"]["event_id"] == before
    assert (found["m.thread"]["count"], "m.replace" in found) == (1, False)
    assert ids(bob.get(f"/v1/rooms/{room}/relations/{root}")["chunk"]) == [before]


def test_related_events_come_in_pages_of_both_directions(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    sent = [alice.send(room, related(root, "m.thread", str(n))) for n in range(7)]
    for direction, expected in (("b", sent[::-1]), ("f", sent)):
        found, token = [], None
        while True:
            more = {"from": token} if token else {}
            page = alice.get(f"/v1/rooms/{room}/relations/{root}/m.thread", dir=direction, limit=3, **more)
            found += ids(page["chunk"])
            assert page.get("prev_batch") == token
            token = page.get("next_batch")
            if token is None:
                break
        assert found == expected


def test_related_events_start_at_tokens_of_messages_and_sync(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    first = alice.send(room, related(root, "m.thread"))
    token = alice.sync()["next_batch"]
    start = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=1)["start"]
    second = alice.send(room, related(root, "m.thread"))
    for one in (token, start):
        assert ids(alice.get(f"/v1/rooms/{room}/relations/{root}", **{"from": one})["chunk"]) == [first]
        assert ids(alice.get(f"/v1/rooms/{room}/relations/{root}", **{"from": one}, dir="f")["chunk"]) == [second]


def test_related_events_are_chosen_by_relation_and_event_type(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    reply = alice.send(room, related(root, "m.thread"))
    other = alice.send(room, related(root, "m.thread"), "org.example.other")
    reaction = alice.send(room, related(root, "m.annotation", key="x"), "m.reaction")
    base = f"/v1/rooms/{room}/relations/{root}"
    assert ids(alice.get(base)["chunk"]) == [reaction, other, reply]
    assert ids(alice.get(f"{base}/m.thread")["chunk"]) == [other, reply]
    assert ids(alice.get(f"{base}/m.thread/org.example.other")["chunk"]) == [other]
    assert alice.get(f"{base}/m.nobody.uses.this") == {"chunk": []}


def test_recursion_finds_what_relates_to_the_related(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    reply = alice.send(room, related(root, "m.thread"))
    reaction = alice.send(room, related(reply, "m.annotation", key="x"), "m.reaction")
    base = f"/v1/rooms/{room}/relations/{root}"
    assert ids(alice.get(base)["chunk"]) == [reply]
    deep = alice.get(base, recurse="true")
    assert (ids(deep["chunk"]), deep["recursion_depth"]) == ([reaction, reply], 3)
    assert ids(alice.get(f"{base}/m.annotation", recurse="true")["chunk"]) == []


def test_relations_of_an_unknown_or_hidden_event_are_not_found(alice, bob):
    room = alice.create_room()
    event = alice.send(room, "secret")
    for user, path in ((alice, "$nothing"), (bob, event)):
        with pytest.raises(Refused) as refused:
            user.get(f"/v1/rooms/{room}/relations/{path}")
        assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")


def test_threads_are_listed_with_the_newest_first(alice, bob):
    room = shared_room(alice, bob)
    first, second, third = (alice.send(room, str(n)) for n in range(3))
    for root in (first, second, third, first):
        alice.send(room, related(root, "m.thread"))
    page = alice.get(f"/v1/rooms/{room}/threads", limit=2)
    assert ids(page["chunk"]) == [first, third]
    assert page["chunk"][0]["unsigned"]["m.relations"]["m.thread"]["count"] == 2
    rest = alice.get(f"/v1/rooms/{room}/threads", limit=2, **{"from": page["next_batch"]})
    assert (ids(rest["chunk"]), "next_batch" in rest) == ([second], False)
    assert bob.get(f"/v1/rooms/{room}/threads", include="participated") == {"chunk": []}
    bob.send(room, related(second, "m.thread"))
    assert ids(bob.get(f"/v1/rooms/{room}/threads", include="participated")["chunk"]) == [second]


def test_a_thread_whose_root_is_by_an_ignored_user_is_shown_redacted(alice, bob):
    room = shared_room(alice, bob)
    root = bob.send(room, "rude")
    alice.send(room, related(root, "m.thread"))
    ignored = {"ignored_users": {bob.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
    (found,) = alice.get(f"/v1/rooms/{room}/threads")["chunk"]
    assert (found["event_id"], found["content"]) == (root, {})


@pytest.mark.parametrize("query", [{"include": "some"}, {"from": "s1_2.3"}, {"limit": 0}])
def test_a_wrong_query_for_threads_is_refused(alice, query):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.get(f"/v1/rooms/{room}/threads", **query)
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")


def test_the_same_reaction_is_refused_until_it_is_redacted(alice, bob):
    room = shared_room(alice, bob)
    event = alice.send(room, "hello")
    reaction = alice.send(room, related(event, "m.annotation", key="👍"), "m.reaction")
    alice.send(room, related(event, "m.annotation", key="👎"), "m.reaction")
    bob.send(room, related(event, "m.annotation", key="👍"), "m.reaction")
    with pytest.raises(Refused) as refused:
        alice.send(room, related(event, "m.annotation", key="👍"), "m.reaction")
    assert (refused.value.status, refused.value.errcode) == (400, "M_DUPLICATE_ANNOTATION")
    alice.put(f"/v3/rooms/{room}/redact/{reaction}/r")
    assert alice.send(room, related(event, "m.annotation", key="👍"), "m.reaction") != reaction


def test_a_repeated_request_for_a_reaction_answers_with_its_event(alice):
    room = alice.create_room()
    event = alice.send(room, "hello")
    path = f"/v3/rooms/{room}/send/m.reaction/same"
    body = related(event, "m.annotation", key="x")
    assert alice.put(path, body) == alice.put(path, body)


def test_no_thread_starts_inside_another(alice):
    room = alice.create_room()
    root = alice.send(room, "root")
    reply = alice.send(room, related(root, "m.thread"))
    with pytest.raises(Refused) as refused:
        alice.send(room, related(reply, "m.thread"))
    assert (refused.value.status, refused.value.errcode) == (400, "M_UNKNOWN")


def test_pages_can_be_filtered_by_what_relates_to_an_event(alice, bob):
    room = shared_room(alice, bob)
    root, other = alice.send(room, "root"), alice.send(room, "other")
    bob.send(room, related(root, "m.thread"))
    alice.send(room, related(other, "m.annotation", key="x"), "m.reaction")
    for condition in ('"related_by_rel_types":["m.thread"]', f'"related_by_senders":["{bob.user_id}"]'):
        page = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=50, filter=f"{{{condition}}}")
        assert ids(page["chunk"]) == [root]


def test_related_events_are_redacted_with_their_parent_where_that_is_asked_for(alice, bob):
    room = shared_room(alice, bob)
    root = bob.send(room, "root")
    own, other = bob.send(room, related(root, "m.thread", "own")), alice.send(room, related(root, "m.thread", "other"))
    reaction = bob.send(room, related(root, "m.annotation", key="x"), "m.reaction")
    bob.put(f"/v3/rooms/{room}/redact/{root}/r", {"org.matrix.msc3912.with_relations": ["m.thread"], "reason": "gone"})
    for event, is_redacted in ((root, True), (own, True), (other, False), (reaction, False)):
        found = bob.get(f"/v3/rooms/{room}/event/{event}")
        assert (found["content"] == {}) is is_redacted
    assert bob.get(f"/v3/rooms/{room}/event/{own}")["unsigned"]["redacted_because"]["content"]["reason"] == "gone"


def test_nobody_redacts_what_is_another_users_without_the_power_for_it(alice, bob):
    room = shared_room(alice, bob)
    event = alice.send(room, "mine")
    for send in (
        lambda: bob.put(f"/v3/rooms/{room}/redact/{event}/r"),
        lambda: bob.send(room, {"redacts": event}, "m.room.redaction"),
    ):
        with pytest.raises(Refused) as refused:
            send()
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_a_thread_whose_newest_replies_are_hidden_shows_those_one_may_see(alice, bob):
    visibility = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room = alice.create_room(preset="public_chat", initial_state=[visibility])
    bob.join(room)
    root = alice.send(room, "root")
    seen = alice.send(room, related(root, "m.thread", "seen"))
    bob.post(f"/v3/rooms/{room}/leave")
    alice.send(room, related(root, "m.thread", "missed"))
    bob.join(room)
    thread = bundle(bob, room, root)["m.thread"]
    assert (thread["latest_event"]["event_id"], thread["count"]) == (seen, 1)
    last = alice.send(room, related(root, "m.thread", "seen too"))
    assert bundle(bob, room, root)["m.thread"]["latest_event"]["event_id"] == last
