"""What is said and shown in a shared room: messages, relations, redactions, state, history, typing, receipts."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.interop.synapse.conftest import share
from tests.servers.trellis import Refused
from tests.servers.watching import bodies, history, state_content


def redact(user, room_id, event_id, reason="spam"):
    """Redact an event; the redaction's id."""
    path = f"/v3/rooms/{quote(room_id, safe='')}/redact/{quote(event_id, safe='')}/r{event_id[1:6]}"
    return user.put(path, {"reason": reason})["event_id"]


def event(user, room_id, event_id):
    """One event as the user sees it."""
    return user.get(f"/v3/rooms/{quote(room_id, safe='')}/event/{quote(event_id, safe='')}")


def test_messages_go_both_ways(shared):
    speaker, listener = shared.both()
    event_id = speaker.user.send(shared.room_id, "héllo 😀 \u2028")
    for one in (speaker, listener):
        assert one.event(shared.room_id, event_id)["content"]["body"] == "héllo 😀 \u2028"


def test_many_messages_arrive_in_order(shared):
    sent = [shared.host.user.send(shared.room_id, f"m{number}") for number in range(60)]
    shared.guest.event(shared.room_id, sent[-1])
    for one in shared.both():
        assert [found["event_id"] for found in history(one.user, shared.room_id)[:60]] == sent[::-1]


def test_both_speak_at_once_and_read_the_same(shared):
    sent = {one.user.send(shared.room_id, f"{number}") for number in range(10) for one in shared.both()}
    for one in shared.both():
        for event_id in sent:
            one.event(shared.room_id, event_id)
        assert len(bodies(history(one.user, shared.room_id))) == 20


def test_what_was_said_among_members_stays_among_them(sides):
    host, guest = sides.watchers()
    visibility = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    room_id = host.user.create_room(preset="public_chat", initial_state=[visibility])
    host.user.send(room_id, "secret")
    guest.user.join(room_id, via=sides.home.name)
    event_id = host.user.send(room_id, "open")
    guest.event(room_id, event_id)
    assert bodies(history(guest.user, room_id)) == ["open"]
    assert bodies(history(host.user, room_id)) == ["open", "secret"]


def test_ones_own_message_is_redacted(shared):
    event_id = shared.guest.user.send(shared.room_id, "regret")
    shared.host.event(shared.room_id, event_id)
    redaction = redact(shared.guest.user, shared.room_id, event_id)
    for one in shared.both():
        one.event(shared.room_id, redaction)
        assert event(one.user, shared.room_id, event_id)["content"] == {}


def test_a_moderator_redacts_another_servers_message(shared):
    event_id = shared.guest.user.send(shared.room_id, "spam")
    shared.host.event(shared.room_id, event_id)
    redaction = redact(shared.host.user, shared.room_id, event_id)
    for one in shared.both():
        one.event(shared.room_id, redaction)
        found = event(one.user, shared.room_id, event_id)
        assert found["content"] == {}
        assert found["unsigned"]["redacted_because"]["sender"] == shared.host.user.user_id


def test_a_guest_without_power_redacts_nothing_of_others(shared):
    event_id = shared.host.user.send(shared.room_id, "stays")
    shared.guest.event(shared.room_id, event_id)
    with pytest.raises(Refused) as caught:
        redact(shared.guest.user, shared.room_id, event_id)
    assert caught.value.status == 403
    for one in shared.both():
        assert event(one.user, shared.room_id, event_id)["content"]["body"] == "stays"


def test_an_edit_is_bundled_on_both_sides(shared):
    event_id = shared.guest.user.send(shared.room_id, "teh")
    shared.host.event(shared.room_id, event_id)
    content = {"msgtype": "m.text", "body": "the"}
    relation = {"rel_type": "m.replace", "event_id": event_id}
    edit = shared.guest.user.send(shared.room_id, {**content, "m.new_content": content, "m.relates_to": relation})
    for one in shared.both():
        one.event(shared.room_id, edit)
        bundle = event(one.user, shared.room_id, event_id)["unsigned"]["m.relations"]["m.replace"]
        assert bundle["event_id"] == edit


def test_a_thread_is_counted_on_both_sides(shared):
    root = shared.host.user.send(shared.room_id, "root")
    shared.guest.event(shared.room_id, root)
    relation = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    for one in shared.both():
        event_id = one.user.send(shared.room_id, {"msgtype": "m.text", "body": "leaf", **relation})
        for seeing in shared.both():
            seeing.event(shared.room_id, event_id)
    for one in shared.both():
        assert event(one.user, shared.room_id, root)["unsigned"]["m.relations"]["m.thread"]["count"] == 2


def test_reactions_are_found_on_both_sides(shared):
    event_id = shared.host.user.send(shared.room_id, "nice")
    shared.guest.event(shared.room_id, event_id)
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": "👍"}}
    reaction = shared.guest.user.send(shared.room_id, content, "m.reaction")
    for one in shared.both():
        one.event(shared.room_id, reaction)
        path = f"/v1/rooms/{quote(shared.room_id)}/relations/{quote(event_id)}/m.annotation/m.reaction"
        assert [found["event_id"] for found in one.user.get(path)["chunk"]] == [reaction]


def test_a_guest_given_power_changes_the_rooms_name(shared):
    room_id, guest = shared.room_id, shared.guest.user
    with pytest.raises(Refused) as caught:
        guest.set_state(room_id, "m.room.name", {"name": "Mine"})
    assert caught.value.status == 403
    levels = state_content(shared.host.user, room_id, "m.room.power_levels")
    levels["users"][guest.user_id] = 50
    shared.host.user.set_state(room_id, "m.room.power_levels", levels)
    shared.guest.state(room_id, "m.room.power_levels", "", lambda content: guest.user_id in content["users"])
    guest.set_state(room_id, "m.room.name", {"name": "Ours"})
    for one in shared.both():
        one.state(room_id, "m.room.name", "", lambda content: content["name"] == "Ours")


def test_state_set_on_both_sides_at_once_ends_the_same(sides):
    shared = share(sides, power_level_content_override={"users_default": 50})
    for number in range(5):
        for one in shared.both():
            one.user.set_state(shared.room_id, "m.room.topic", {"topic": f"{one.user.user_id} {number}"})
    last = [one.user.send(shared.room_id, "done") for one in shared.both()]
    for one in shared.both():
        for event_id in last:
            one.event(shared.room_id, event_id)
    topics = [state_content(one.user, shared.room_id, "m.room.topic")["topic"] for one in shared.both()]
    assert topics[0] == topics[1]


def test_typing_is_shown(shared):
    typist, watcher = shared.both()
    path = f"/v3/rooms/{quote(shared.room_id)}/typing/{quote(typist.user.user_id)}"
    typist.user.put(path, {"typing": True, "timeout": 20_000})
    watcher.ephemeral(shared.room_id, "m.typing", lambda said: typist.user.user_id in said["user_ids"])
    typist.user.put(path, {"typing": False})
    watcher.ephemeral(shared.room_id, "m.typing", lambda said: typist.user.user_id not in said["user_ids"])


def test_receipts_are_shown(shared):
    sender, reader = shared.both()
    event_id = sender.user.send(shared.room_id, "read me")
    reader.event(shared.room_id, event_id)
    reader.user.post(f"/v3/rooms/{quote(shared.room_id)}/receipt/m.read/{quote(event_id)}")
    said = sender.ephemeral(shared.room_id, "m.receipt", lambda content: event_id in content)
    assert reader.user.user_id in said[event_id]["m.read"]


def test_a_private_receipt_stays_at_home(shared):
    event_id = shared.host.user.send(shared.room_id, "read me quietly")
    shared.guest.event(shared.room_id, event_id)
    path = f"/v3/rooms/{quote(shared.room_id)}/receipt"
    shared.guest.user.post(f"{path}/m.read.private/{quote(event_id)}")
    later = shared.host.user.send(shared.room_id, "and this openly")
    shared.guest.event(shared.room_id, later)
    shared.guest.user.post(f"{path}/m.read/{quote(later)}")
    said = shared.host.ephemeral(shared.room_id, "m.receipt", lambda content: later in content)
    assert event_id not in said


def test_an_event_is_found_by_time_on_both_sides(shared):
    event_id = shared.host.user.send(shared.room_id, "now")
    shared.guest.event(shared.room_id, event_id)
    for one in shared.both():
        path = f"/v1/rooms/{quote(shared.room_id)}/timestamp_to_event"
        assert one.user.get(path, ts=2**45, dir="b")["event_id"] == event_id
