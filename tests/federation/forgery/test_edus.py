"""What a server says of the users of others, in messages that are no events, is not believed."""

from __future__ import annotations

from tests.servers.device_keys import ClientDevice


def send(scene, kind, content):
    """Send an EDU, and then one that is in order, which shows that the first was dealt with."""
    room, user = scene.room_id, scene.hostile.user_id
    good = {"edu_type": "m.typing", "content": {"room_id": room, "user_id": user, "typing": True}}
    answer = scene.hostile.transact(edus=[{"edu_type": kind, "content": content}, good])
    assert answer.json() == {"pdus": {}}
    seen = []

    def found(answer):
        seen.append(answer)
        events = answer.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", [])
        return any(user in one["content"].get("user_ids", ()) for one in events)

    scene.alice.until(found, "that the hostile user types")
    return seen


def ephemeral(scene, answers, kind):
    """What came of one type in the room."""
    rooms = [answer.get("rooms", {}).get("join", {}).get(scene.room_id, {}) for answer in answers]
    events = [one for room in rooms for one in room.get("ephemeral", {}).get("events", [])]
    return [one["content"] for one in events if one["type"] == kind]


def test_nobody_types_for_others(plain):
    bob = plain.bob.user.user_id
    answers = send(plain, "m.typing", {"room_id": plain.room_id, "user_id": bob, "typing": True})
    assert all(bob not in said["user_ids"] for said in ephemeral(plain, answers, "m.typing"))


def test_nobody_reads_for_others(plain):
    event_id, bob = plain.alice.user.send(plain.room_id), plain.bob.user.user_id
    content = {plain.room_id: {"m.read": {bob: {"event_ids": [event_id], "data": {"ts": 1}}}}}
    assert ephemeral(plain, send(plain, "m.receipt", content), "m.receipt") == []


def test_nobody_is_present_for_others(plain):
    bob = plain.bob.user.user_id
    push = [{"user_id": bob, "presence": "online", "status_msg": "forged", "last_active_ago": 0}]
    answers = send(plain, "m.presence", {"push": push})
    events = [one for answer in answers for one in answer.get("presence", {}).get("events", [])]
    assert "forged" not in [one["content"].get("status_msg") for one in events]


def test_nobody_writes_to_devices_for_others(plain):
    alice = plain.alice.user
    for sender in (plain.bob.user.user_id, alice.user_id, f"@a:b:{plain.hostile.remote.name}x"):
        content = {
            "sender": sender,
            "type": "x.forged",
            "message_id": f"m{sender}",
            "messages": {alice.user_id: {"*": {"body": "forged"}}},
        }
        answers = send(plain, "m.direct_to_device", content)
        assert [answer for answer in answers if answer.get("to_device", {}).get("events")] == []


def test_a_to_device_message_is_delivered_once_however_often_it_is_sent(plain):
    alice = plain.alice.user
    content = {
        "sender": plain.hostile.user_id,
        "type": "x.test",
        "message_id": "same",
        "messages": {alice.user_id: {"*": {"n": 1}}},
    }
    answers = [*send(plain, "m.direct_to_device", content), *send_again(plain, content)]
    events = [one for answer in answers for one in answer.get("to_device", {}).get("events", [])]
    assert [one["content"] for one in events] == [{"n": 1}]


def send_again(scene, content):
    """The same EDU in another transaction; what Alice then sees until something else comes."""
    scene.hostile.transact(edus=[{"edu_type": "m.direct_to_device", "content": content}])
    event_id, pdu = scene.hostile.event("after it")
    scene.hostile.transact(pdu)
    answers = []
    scene.alice.step(0)
    scene.alice.until(
        lambda answer: answers.append(answer) or event_id in str(answer.get("rooms", {})), "the message after it"
    )
    return answers


def test_nobody_changes_the_devices_of_others(plain):
    bob = plain.bob.user
    device = ClientDevice(bob.user_id, bob.device_id)
    bob.post("/v3/keys/upload", {"device_keys": device.keys()})

    def keys():
        return plain.alice.user.post("/v3/keys/query", {"device_keys": {bob.user_id: []}})["device_keys"]

    plain.alice.until(lambda _: keys().get(bob.user_id), "his device")
    forged = ClientDevice(bob.user_id, "FORGED").keys()
    content = {"user_id": bob.user_id, "device_id": "FORGED", "stream_id": 9, "prev_id": [], "keys": forged}
    send(plain, "m.device_list_update", content)
    assert list(keys()[bob.user_id]) == [bob.device_id]


def test_keys_that_a_server_tells_of_others_are_left_out(plain):
    mallory, bob = plain.hostile.user_id, plain.bob.user.user_id
    forged = ClientDevice(bob, "FORGED").keys()
    told = {"device_keys": {bob: {"FORGED": forged}, mallory: {}}, "master_keys": {}, "self_signing_keys": {}}
    plain.hostile.remote.answer("/_matrix/federation/v1/user/keys/query", told)
    found = plain.alice.user.post("/v3/keys/query", {"device_keys": {mallory: []}})
    assert bob not in found["device_keys"]
