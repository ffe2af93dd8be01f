"""Keys, device lists and to-device messages between Synapse and us, both ways."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.servers.device_keys import ClientDevice, Identity


@pytest.fixture(params=["ours is told", "synapse is told"])
def pair(request, trellis, synapse):
    """(who looks, who changes, the server of who changes), in a room together."""
    looking_at, changing_at = (trellis, synapse) if request.param == "ours is told" else (synapse, trellis)
    looking, changing = looking_at.register(), changing_at.register()
    room_id = trellis_first(trellis, looking, changing)
    assert room_id
    return looking, changing, changing_at


def trellis_first(trellis, *users):
    """A room that our user makes and Synapse's joins."""
    ours, theirs = sorted(users, key=lambda user: user.base != trellis.base)
    room_id = ours.create_room(preset="public_chat")
    theirs.post(f"/v3/join/{quote(room_id)}", {}, server_name=trellis.name, via=trellis.name)
    return room_id


def publish(user):
    """Upload keys of a user's device."""
    device = ClientDevice(user.user_id, user.device_id)
    user.post("/v3/keys/upload", {"device_keys": device.keys(), "one_time_keys": device.one_time_keys(1, 2)})
    return device


def until(look, seconds=20):
    """Ask until there is an answer; that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def devices_of(looking, changing):
    """Whose devices the one sees of the other."""
    return set(looking.post("/v3/keys/query", {"device_keys": {changing.user_id: []}})["device_keys"]
               .get(changing.user_id, {}))  # fmt: skip


def test_devices_come_and_go(pair):
    looking, changing, server = pair
    publish(changing)
    until(lambda: devices_of(looking, changing) == {changing.device_id})
    second = server.login(changing)
    publish(second)
    until(lambda: devices_of(looking, changing) == {changing.device_id, second.device_id})
    second.post("/v3/logout")
    until(lambda: devices_of(looking, changing) == {changing.device_id})


def test_a_change_is_told_in_sync(pair):
    looking, changing, _ = pair
    since = looking.sync()["next_batch"]
    publish(changing)

    def changed():
        nonlocal since
        answer = looking.sync(since, timeout=1000)
        since = answer["next_batch"]
        return changing.user_id in answer.get("device_lists", {}).get("changed", [])

    until(changed)


def test_cross_signing_keys_are_seen_and_replaced_ones_too(pair):
    looking, changing, _ = pair

    def master():
        found = looking.post("/v3/keys/query", {"device_keys": {changing.user_id: []}})
        return found.get("master_keys", {}).get(changing.user_id, {}).get("keys")

    identity = Identity(changing.user_id)
    changing.post("/v3/keys/device_signing/upload", identity.body())
    until(lambda: master() == identity.key("master")["keys"])


def test_a_one_time_key_is_claimed_once(pair):
    looking, changing, _ = pair
    publish(changing)
    wanted = {"one_time_keys": {changing.user_id: {changing.device_id: "signed_curve25519"}}}
    claimed = [looking.post("/v3/keys/claim", wanted)["one_time_keys"] for _ in range(3)]
    ids = [list(one[changing.user_id][changing.device_id]) for one in claimed if one.get(changing.user_id)]
    assert sorted(ids) == [["signed_curve25519:000001"], ["signed_curve25519:000002"]]


def test_messages_arrive_once_and_in_order(pair):
    looking, changing, _ = pair
    since = looking.sync()["next_batch"]
    for number in range(5):
        content = {"messages": {looking.user_id: {looking.device_id: {"n": number}}}}
        changing.put(f"/v3/sendToDevice/m.test/t{number}", content)
    seen = []

    def all_of_them():
        nonlocal since
        answer = looking.sync(since, timeout=1000)
        since = answer["next_batch"]
        seen.extend(event["content"]["n"] for event in answer.get("to_device", {}).get("events", []))
        return len(seen) >= 5

    until(all_of_them)
    assert seen == list(range(5))


def test_what_happened_while_the_other_was_away_arrives(trellis, synapse):
    ours, theirs = trellis.register(), synapse.register()
    trellis_first(trellis, ours, theirs)
    publish(ours)
    until(lambda: devices_of(theirs, ours) == {ours.device_id})
    since = theirs.sync()["next_batch"]
    synapse.stop()
    second = trellis.login(ours)
    publish(second)
    ours.put("/v3/sendToDevice/m.test/t1", {"messages": {theirs.user_id: {theirs.device_id: {"n": 1}}}})
    synapse.start()
    until(lambda: devices_of(theirs, ours) == {ours.device_id, second.device_id}, 60)
    until(lambda: theirs.sync(since).get("to_device", {}).get("events"), 60)
