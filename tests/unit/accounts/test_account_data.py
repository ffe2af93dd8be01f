"""Account data, filters, devices and capabilities, over HTTP."""

import pytest

from core.storage.log import LogReader

USER = "/user/@alice:example.org"
ROOM = "!room:example.org"


@pytest.fixture
def alice(accounts):
    made = accounts.user("alice")

    def request(method, path, body=None):
        return accounts.request(method, path, body, made["access_token"])

    request.nid = accounts.users.find("@alice:example.org").user_nid
    request.device_id = made["device_id"]
    return request


@pytest.mark.parametrize("place", [USER, f"{USER}/rooms/{ROOM}"])
def test_what_was_set_is_read_back_and_replaced(alice, place):
    path = f"{place}/account_data/org.example.type"
    assert alice("GET", path).json["errcode"] == "M_NOT_FOUND"
    for content in ({"a": 1}, {"b": ["é", None]}, {}):
        assert alice("PUT", path, content).json == {}
        assert alice("GET", path).json == content


@pytest.mark.parametrize("place", [USER, f"{USER}/rooms/{ROOM}"])
@pytest.mark.parametrize("type", ["m.fully_read", "m.push_rules"])
def test_types_of_the_server_are_not_set_by_clients(alice, place, type):
    answer = alice("PUT", f"{place}/account_data/{type}", {})
    assert (answer.status_code, answer.json["errcode"]) == (405, "M_BAD_JSON")


@pytest.mark.parametrize(
    ("path", "body", "status", "errcode"),
    [
        ("/user/@bob:example.org/account_data/a.b", {}, 403, "M_FORBIDDEN"),
        (f"{USER}/account_data/a.b", [], 400, "M_BAD_JSON"),
        (f"{USER}/rooms/@no:example.org/account_data/a.b", {}, 400, "M_INVALID_PARAM"),
        (f"{USER}/account_data/" + "x" * 256, {}, 400, "M_INVALID_PARAM"),
        (f"{USER}/account_data/a.b", {"a": "x" * 262_144}, 413, "M_TOO_LARGE"),
    ],
)
def test_what_does_not_fit_is_refused(alice, path, body, status, errcode):
    answer = alice("PUT", path, body)
    assert (answer.status_code, answer.json["errcode"]) == (status, errcode)


def test_sync_can_ask_what_changed(accounts, alice):
    alice("PUT", f"{USER}/account_data/a", {"n": 1})
    since = LogReader(accounts.database).tip()
    alice("PUT", f"{USER}/account_data/b", {"n": 2})
    alice("PUT", f"{USER}/account_data/a", {"n": 3})
    alice("PUT", f"{USER}/rooms/{ROOM}/account_data/a", {"n": 4})
    upto = LogReader(accounts.database).tip()
    store = accounts.account_data_store
    assert store.changed(alice.nid, since, upto) == [("b", b'{"n":2}'), ("a", b'{"n":3}')]
    assert store.changed(alice.nid, since, upto - 2) == [("b", b'{"n":2}')]
    assert store.changed_in_rooms(alice.nid, since, upto) == {ROOM: [("a", b'{"n":4}')]}
    assert sorted(store.all(alice.nid)) == [("a", b'{"n":3}'), ("b", b'{"n":2}')]
    assert store.all_in_rooms(alice.nid) == store.all_in_rooms(alice.nid, [ROOM]) == {ROOM: [("a", b'{"n":4}')]}


def test_the_same_filter_has_the_same_id(alice):
    first = alice("POST", f"{USER}/filter", {"room": {"timeline": {"limit": 5}}}).json["filter_id"]
    other = alice("POST", f"{USER}/filter", {"room": {"timeline": {"limit": 6}}}).json["filter_id"]
    again = alice("POST", f"{USER}/filter", {"room": {"timeline": {"limit": 5}}}).json["filter_id"]
    assert first == again != other
    assert alice("GET", f"{USER}/filter/{first}").json == {"room": {"timeline": {"limit": 5}}}


def test_a_stored_filter_is_handed_out_parsed(accounts, alice):
    filter_id = alice("POST", f"{USER}/filter", {"room": {"timeline": {"limit": 5}}}).json["filter_id"]
    parsed = accounts.filters.parsed(alice.nid, filter_id)
    assert parsed.room.timeline.limit == 5
    assert accounts.filters.parsed(alice.nid, filter_id) is parsed


@pytest.mark.parametrize("filter_id", ["9", "x", "-1", "9" * 30, "{}"])
def test_a_filter_that_is_not_there_is_not_found(alice, filter_id):
    assert alice("GET", f"{USER}/filter/{filter_id}").json["errcode"] == "M_NOT_FOUND"


def test_a_filter_must_make_sense_and_be_ones_own(alice):
    assert alice("POST", f"{USER}/filter", {"room": 7}).json["errcode"] == "M_BAD_JSON"
    assert alice("POST", "/user/@bob:example.org/filter", {}).json["errcode"] == "M_FORBIDDEN"


def test_devices_are_listed_with_when_they_were_seen(accounts, alice):
    accounts.log_in("alice", device_id="PHONE", initial_device_display_name="My phone")
    devices = {device["device_id"]: device for device in alice("GET", "/devices").json["devices"]}
    assert devices["PHONE"] == {"user_id": "@alice:example.org", "device_id": "PHONE", "display_name": "My phone"}
    assert devices[alice.device_id]["last_seen_ts"] == accounts.clock.ms


def test_a_device_is_renamed_and_others_are_not_found(accounts, alice):
    assert alice("PUT", f"/devices/{alice.device_id}", {"display_name": "Desk"}).json == {}
    assert alice("GET", f"/devices/{alice.device_id}").json["display_name"] == "Desk"
    assert alice("PUT", f"/devices/{alice.device_id}", {}).json == {}
    for method, body in (("GET", None), ("PUT", {"display_name": "x"}), ("PUT", {})):
        assert alice(method, "/devices/NONE", body).json["errcode"] == "M_NOT_FOUND"


def test_a_device_that_is_known_keeps_its_name_at_login(accounts, alice):
    accounts.log_in("alice", device_id=alice.device_id, initial_device_display_name="New")
    assert accounts.devices.find(alice.nid, alice.device_id).display_name is None


def test_capabilities_name_room_versions_and_what_may_be_changed(alice):
    shown = alice("GET", "/capabilities").json["capabilities"]
    assert shown["m.room_versions"] == {"default": "12", "available": {"11": "stable", "12": "stable"}}
    assert shown["m.profile_fields"] == {"enabled": True}
