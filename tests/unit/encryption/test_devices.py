"""Deleting devices, and dehydrated ones."""

from tests.servers.device_keys import ClientDevice

DEHYDRATED = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


def dehydrate(person, device_id, **fields):
    device = ClientDevice(person.user_id, device_id)
    body = {
        "device_id": device_id,
        "device_data": {"algorithm": "a", "blob": "b"},
        "initial_device_display_name": "asleep",
        "device_keys": device.keys(dehydrated=True),
        "one_time_keys": device.one_time_keys(0, 2),
        "fallback_keys": device.fallback_key("F"),
        **fields,
    }
    return body


def test_deleting_a_device_takes_the_password_and_ends_its_session(alice):
    phone = alice.another()
    phone.upload(1)
    assert alice.authenticated("DELETE", f"/devices/{phone.device_id}", {}).status_code == 200
    assert phone.refused("GET", "/account/whoami")[1]["errcode"] == "M_UNKNOWN_TOKEN"
    assert [device["device_id"] for device in alice.ask("GET", "/devices")["devices"]] == [alice.device_id]


def test_several_devices_go_at_once_and_unknown_ones_are_fine(alice):
    others = [alice.another().device_id for _ in range(3)]
    body = {"devices": [*others, "NEVER"]}
    assert alice.authenticated("POST", "/delete_devices", body).status_code == 200
    assert len(alice.ask("GET", "/devices")["devices"]) == 1


def test_a_wrong_password_deletes_nothing(alice):
    phone = alice.another()
    assert alice.authenticated("DELETE", f"/devices/{phone.device_id}", {}, "wrong").status_code == 401
    assert len(alice.ask("GET", "/devices")["devices"]) == 2


def test_another_users_devices_stay(alice, bob):
    assert bob.authenticated("DELETE", f"/devices/{alice.device_id}", {}).status_code == 200
    alice.ask("GET", "/account/whoami")


def test_the_list_of_devices_to_delete_must_be_one(alice):
    assert alice.refused("POST", "/delete_devices", {})[1]["errcode"] == "M_MISSING_PARAM"
    for body in ({"devices": "X"}, {"devices": [1]}):
        assert alice.refused("POST", "/delete_devices", body)[1]["errcode"] == "M_BAD_JSON"


def test_a_dehydrated_device_is_found_by_others_and_by_its_user(alice, bob):
    assert alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER")) == {"device_id": "SLEEPER"}
    assert alice.ask("GET", DEHYDRATED) == {"device_id": "SLEEPER", "device_data": {"algorithm": "a", "blob": "b"}}
    keys = bob.query(alice.user_id)["device_keys"][alice.user_id]["SLEEPER"]
    assert keys["dehydrated"] is True
    assert keys["unsigned"] == {"device_display_name": "asleep"}


def test_messages_for_a_dehydrated_device_are_read_in_pages(alice, bob):
    alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER"))
    for n in range(105):
        bob.send(f"t{n}", {alice.user_id: {"SLEEPER": {"n": n}}})
    first = alice.ask("POST", f"{DEHYDRATED}/SLEEPER/events", {})
    second = alice.ask("POST", f"{DEHYDRATED}/SLEEPER/events", {"next_batch": first["next_batch"]})
    third = alice.ask("GET", f"{DEHYDRATED}/SLEEPER/events?next_batch={second['next_batch']}")
    assert [event["content"]["n"] for event in first["events"] + second["events"]] == list(range(105))
    assert third["events"] == []


def test_a_new_dehydrated_device_takes_the_place_of_the_old(alice, bob):
    for device_id in ("FIRST", "SECOND", "SECOND"):
        alice.ask("PUT", DEHYDRATED, dehydrate(alice, device_id))
    assert list(bob.query(alice.user_id)["device_keys"][alice.user_id]) == ["SECOND"]
    assert alice.ask("GET", DEHYDRATED)["device_id"] == "SECOND"


def test_a_dehydrated_device_can_be_deleted(alice, bob):
    alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER"))
    assert alice.ask("DELETE", DEHYDRATED) == {"device_id": "SLEEPER"}
    assert alice.refused("GET", DEHYDRATED)[0] == 404
    assert bob.query(alice.user_id)["device_keys"] == {alice.user_id: {}}


def test_a_device_that_is_signed_in_cannot_be_dehydrated(alice):
    status, _ = alice.refused("PUT", DEHYDRATED, dehydrate(alice, alice.device_id))
    assert status == 403


def test_a_dehydrated_device_needs_keys(alice):
    body = {**dehydrate(alice, "SLEEPER"), "device_keys": None}
    assert alice.refused("PUT", DEHYDRATED, body)[1]["errcode"] == "M_MISSING_PARAM"


def test_the_messages_of_a_device_that_is_awake_are_not_read_so(alice):
    alice.ask("PUT", DEHYDRATED, dehydrate(alice, "SLEEPER"))
    assert alice.refused("POST", f"{DEHYDRATED}/{alice.device_id}/events", {})[0] == 403
