"""Keys and to-device messages between two servers of ours."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.federation.test_transactions import sync_until
from tests.servers.device_keys import ClientDevice
from tests.servers.guest_server import Guest


@pytest.fixture
def shared(alpha, beta):
    """A user of each server in a room."""
    alice, bob = alpha.register(), beta.register()
    room_id = alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(room_id)}", {}, via=alpha.name)
    return alice, bob


def test_keys_of_another_servers_user_are_found_and_claimed(shared):
    alice, bob = shared
    device = ClientDevice(alice.user_id, alice.device_id)
    published, keys = device.keys(), device.one_time_keys(1, 1)
    alice.post("/v3/keys/upload", {"device_keys": published, "one_time_keys": keys})
    found = bob.post("/v3/keys/query", {"device_keys": {alice.user_id: []}})
    assert found["device_keys"][alice.user_id][alice.device_id]["keys"] == published["keys"]
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    claimed = bob.post("/v3/keys/claim", wanted)
    assert claimed["one_time_keys"] == {alice.user_id: {alice.device_id: keys}}


def test_a_server_that_is_not_there_is_a_failure_and_no_error(alpha):
    found = alpha.register().post("/v3/keys/query", {"device_keys": {"@a:localhost:1": []}, "timeout": 1000})
    assert set(found["failures"]) == {"localhost:1"}


def test_a_message_reaches_a_device_of_another_server(shared):
    alice, bob = shared
    since = bob.sync()["next_batch"]
    content = {"messages": {bob.user_id: {bob.device_id: {"key": "välue"}}}}
    alice.put("/v3/sendToDevice/m.test/t1", content)
    events, _ = sync_until(bob, lambda answer: answer.get("to_device", {}).get("events"), since)
    assert events == [{"sender": alice.user_id, "type": "m.test", "content": {"key": "välue"}}]


def test_a_changed_device_list_reaches_the_other_server(shared):
    alice, bob = shared
    since = bob.sync()["next_batch"]
    alice.post("/v3/keys/upload", {"device_keys": ClientDevice(alice.user_id, alice.device_id).keys()})
    changed, _ = sync_until(bob, lambda answer: answer.get("device_lists", {}).get("changed"), since)
    assert changed == [alice.user_id]


def test_another_server_reads_all_devices_of_a_user(alpha, remote):
    alice = alpha.register()
    alice.post("/v3/keys/upload", {"device_keys": ClientDevice(alice.user_id, alice.device_id).keys()})
    guest = Guest(remote, alpha, "!none:else.org")
    found = guest.call("GET", f"/v1/user/devices/{quote(alice.user_id)}").json()
    assert [device["device_id"] for device in found["devices"]] == [alice.device_id]
    assert guest.call("GET", "/v1/user/devices/%40a%3Aelse.org").status_code == 404
    assert guest.call("POST", "/v1/user/keys/query", {"device_keys": []}).json()["errcode"] == "M_BAD_JSON"
    assert guest.call("POST", "/v1/user/keys/claim", {"one_time_keys": {alice.user_id: 5}}).status_code == 400
