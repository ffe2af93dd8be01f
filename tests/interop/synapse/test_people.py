"""What is known of each other's users: profiles, presence, media, devices and their keys, to-device messages."""

from __future__ import annotations

import base64
from urllib.parse import quote

import requests

from tests.interop.synapse.conftest import share
from tests.servers.device_keys import ClientDevice, Identity
from tests.servers.watching import Watcher, state_content

PNG = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def with_keys(user):
    """Publish keys of the user's device, one of them for one use; the device."""
    device = ClientDevice(user.user_id, user.device_id)
    user.post("/v3/keys/upload", {"device_keys": device.keys(), "one_time_keys": device.one_time_keys(1, 1)})
    return device


def queried(user, *others):
    """What the user is told of the keys of others."""
    return user.post("/v3/keys/query", {"device_keys": {one: [] for one in others}})


def test_a_new_name_reaches_the_room_and_the_profile(shared):
    changed, seeing = shared.both()
    user_id = changed.user.user_id
    changed.user.put(f"/v3/profile/{quote(user_id)}/displayname", {"displayname": "Zoë"})
    seeing.state(shared.room_id, "m.room.member", user_id, lambda content: content.get("displayname") == "Zoë")
    assert seeing.user.get(f"/v3/profile/{quote(user_id)}")["displayname"] == "Zoë"
    assert state_content(changed.user, shared.room_id, "m.room.member", user_id)["displayname"] == "Zoë"


def test_presence_is_shown(shared):
    present, seeing = shared.both()
    user_id = present.user.user_id
    path = f"/v3/presence/{quote(user_id)}/status"
    present.user.put(path, {"presence": "online", "status_msg": f"at work {user_id}"})

    def found(answer):
        events = answer.get("presence", {}).get("events", [])
        return any(
            one["sender"] == user_id and one["content"].get("status_msg") == f"at work {user_id}" for one in events
        )

    seeing.until(found, f"the presence of {user_id}")


def test_a_picture_is_downloaded_from_the_other_side(shared):
    owner, seeing = shared.both()
    headers = {"Authorization": f"Bearer {owner.user.token}", "Content-Type": "image/png"}
    answer = requests.post(f"{owner.user.base}/_matrix/media/v3/upload", data=PNG, headers=headers, timeout=30)
    uri = answer.json()["content_uri"].removeprefix("mxc://")
    owner.user.send(shared.room_id, {"msgtype": "m.image", "body": "dot", "url": f"mxc://{uri}"})
    for one in (owner, seeing):
        token = {"Authorization": f"Bearer {one.user.token}"}
        url = f"{one.user.base}/_matrix/client/v1/media/download/{uri}"
        found = requests.get(url, headers=token, timeout=30)
        assert (found.status_code, found.content) == (200, PNG)


def test_keys_of_a_device_are_known_and_its_coming_is_told(shared):
    owner, seeing = shared.both()
    device = with_keys(owner.user)
    user_id = owner.user.user_id
    seeing.until(lambda _: user_id in queried(seeing.user, user_id)["device_keys"], f"the device of {user_id}")
    for one in (owner, seeing):
        found = queried(one.user, user_id)["device_keys"][user_id][device.device_id]
        assert found["keys"] == device.keys()["keys"]


def test_a_new_session_is_told_and_a_closed_one_forgotten(shared):
    owner, seeing = shared.both()
    user_id = owner.user.user_id
    with_keys(owner.user)
    seeing.until(lambda _: queried(seeing.user, user_id)["device_keys"].get(user_id), "the first device")
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user_id}}
    second = owner.user.post("/v3/login", {**body, "password": "pässword"})
    login = type(owner.user)(owner.user.base, user_id, second["access_token"], second["device_id"])
    with_keys(login)
    seeing.until(lambda answer: user_id in answer.get("device_lists", {}).get("changed", ()), "that devices changed")
    seeing.until(lambda _: len(queried(seeing.user, user_id)["device_keys"][user_id]) == 2, "two devices")
    login.post("/v3/logout")
    seeing.until(lambda _: len(queried(seeing.user, user_id)["device_keys"][user_id]) == 1, "one device")


def test_a_one_time_key_is_claimed_once(shared):
    owner, claiming = shared.both()
    device = with_keys(owner.user)
    user_id = owner.user.user_id
    claiming.until(lambda _: queried(claiming.user, user_id)["device_keys"].get(user_id), "the device")
    body = {"one_time_keys": {user_id: {device.device_id: "signed_curve25519"}}}
    first, second = (claiming.user.post("/v3/keys/claim", body)["one_time_keys"] for _ in range(2))
    assert list(first[user_id][device.device_id]) == ["signed_curve25519:000001"]
    assert not second.get(user_id, {}).get(device.device_id)


def test_a_to_device_message_arrives_once(shared):
    sender, receiver = shared.both()
    with_keys(receiver.user)
    messages = {receiver.user.user_id: {receiver.user.device_id: {"n": 1}}}
    sender.user.put(f"/v3/sendToDevice/x.test/td{sender.user.user_id[1:9]}", {"messages": messages})
    found = receiver.until(lambda answer: answer.get("to_device", {}).get("events"), "the message")
    assert found == [{"sender": sender.user.user_id, "type": "x.test", "content": {"n": 1}}]
    assert not receiver.step(0).get("to_device", {}).get("events")


def test_cross_signing_keys_are_seen(shared):
    owner, seeing = shared.both()
    user_id = owner.user.user_id
    identity = Identity(user_id)
    with_keys(owner.user)
    owner.user.post("/v3/keys/device_signing/upload", identity.body())
    # each server stores, and tells, one key after the other
    seeing.until(lambda _: queried(seeing.user, user_id)["master_keys"].get(user_id), "the master key")
    seeing.until(lambda _: queried(seeing.user, user_id)["self_signing_keys"].get(user_id), "the self-signing key")
    told = queried(seeing.user, user_id)
    assert told["master_keys"][user_id]["keys"] == identity.key("master")["keys"]
    assert told["self_signing_keys"][user_id]["keys"] == identity.key("self_signing")["keys"]
    assert user_id not in told.get("user_signing_keys", {})


def test_who_shares_no_room_is_told_nothing_of_devices(sides):
    room, stranger = share(sides), Watcher(sides.away.register())
    with_keys(room.host.user)
    room.guest.until(
        lambda answer: room.host.user.user_id in answer.get("device_lists", {}).get("changed", ()), "the change"
    )
    assert room.host.user.user_id not in stranger.step(0).get("device_lists", {}).get("changed", ())
