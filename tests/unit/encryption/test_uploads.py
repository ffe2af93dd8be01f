"""Publishing keys over HTTP: what is taken, what is refused, and with which words."""

import pytest


def test_an_upload_is_answered_with_the_counts(alice):
    assert alice.upload(3) == {"signed_curve25519": 3}


def test_an_empty_upload_tells_the_counts(alice):
    alice.upload(2)
    assert alice.ask("POST", "/keys/upload", {})["one_time_key_counts"] == {"signed_curve25519": 2}


def test_what_was_uploaded_is_what_others_see(alice, bob):
    alice.upload()
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen.pop("unsigned") == {}
    assert seen == alice.device.keys()


def test_the_same_one_time_key_may_be_sent_again(alice):
    keys = alice.device.one_time_keys(0, 2)
    for _ in range(2):
        answer = alice.ask("POST", "/keys/upload", {"one_time_keys": keys})
        assert answer["one_time_key_counts"] == {"signed_curve25519": 2}


def test_another_key_under_a_taken_id_is_refused(alice):
    alice.upload(2)
    status, error = alice.refused("POST", "/keys/upload", {"one_time_keys": alice.device.one_time_keys(1, 2)})
    assert (status, error["errcode"]) == (400, "M_INVALID_PARAM")
    assert "signed_curve25519:000001" in error["error"]
    assert alice.ask("POST", "/keys/upload", {})["one_time_key_counts"] == {"signed_curve25519": 2}


@pytest.mark.parametrize("field", ["user_id", "device_id"])
def test_keys_for_somebody_else_are_refused(alice, bob, field):
    keys = alice.device.sign({**alice.device.keys(), field: getattr(bob, field)})
    status, error = alice.refused("POST", "/keys/upload", {"device_keys": keys})
    assert (status, error["errcode"]) == (400, "M_BAD_JSON")
    assert field in error["error"]


def test_keys_that_the_device_did_not_sign_are_refused(alice):
    keys = {**alice.device.keys(), "algorithms": ["m.changed"]}
    status, error = alice.refused("POST", "/keys/upload", {"device_keys": keys})
    assert (status, error["errcode"]) == (400, "M_INVALID_SIGNATURE")


@pytest.mark.parametrize("signatures", [{}, {"ed25519:{device}": "none"}, {"another:kind": "of signature"}])
@pytest.mark.parametrize("keys", [{}, {"ed25519:{device}": "none"}, {"another:kind": "of key"}])
def test_what_cannot_be_verified_is_left_to_those_who_read_it(alice, bob, keys, signatures):
    named = {
        "keys": {name.format(device=alice.device_id): key for name, key in keys.items()},
        "signatures": {alice.user_id: {name.format(device=alice.device_id): one for name, one in signatures.items()}},
    }
    uploaded = {"user_id": alice.user_id, "device_id": alice.device_id, "algorithms": ["m.some"], **named}
    one_time = {"signed_curve25519:A": {"key": "one", "signatures": {}}, "some:B": "another"}
    alice.ask("POST", "/keys/upload", {"device_keys": uploaded, "one_time_keys": one_time})
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen == {**uploaded, "unsigned": {}}


@pytest.mark.parametrize(
    "body",
    [
        {"device_keys": []},
        {"device_keys": {}},
        {"one_time_keys": []},
        {"one_time_keys": {"noalgorithm": "x"}},
        {"one_time_keys": {"signed_curve25519:A": "string"}},
        {"one_time_keys": {"signed_curve25519:A": {"key": "unsigned"}}},
        {"one_time_keys": {"signed_curve25519:A": {"signatures": {}}}},
        {"one_time_keys": {"signed_curve25519:A": {"key": "x", "signatures": {"@alice:example.org": "x"}}}},
        {"one_time_keys": {"other:A": 7}},
        {"fallback_keys": {"other:A": "a", "other:B": "b"}},
        {"one_time_keys": {":": "x"}},
        {"one_time_keys": {"curve25519:" + "x" * 300: "x"}},
    ],
)
def test_junk_is_refused_with_a_sentence(alice, body):
    status, error = alice.refused("POST", "/keys/upload", body)
    assert (status, error["errcode"]) == (400, "M_BAD_JSON")
    assert error["error"].endswith(".")


def test_a_device_that_changed_its_identity_starts_without_one_time_keys(alice, bob):
    alice.upload(2, fallback_keys=alice.device.fallback_key("F"))
    alice.device.__init__(alice.user_id, alice.device_id)
    assert alice.upload(0) == {"signed_curve25519": 0}
    assert bob.claim(alice) == {}


def test_uploading_the_same_identity_again_is_no_news(alice):
    keys = alice.device.keys()
    alice.ask("POST", "/keys/upload", {"device_keys": keys})
    before = alice.server.tail.position
    alice.ask("POST", "/keys/upload", {"device_keys": keys})
    assert alice.server.tail.position == before


def test_a_query_names_only_the_devices_asked_for(alice, bob):
    alice.upload()
    phone = alice.another()
    phone.upload()
    answer = bob.ask("POST", "/keys/query", {"device_keys": {alice.user_id: [phone.device_id]}})
    assert list(answer["device_keys"][alice.user_id]) == [phone.device_id]


def test_the_display_name_comes_with_the_keys(alice, bob):
    alice.upload()
    alice.ask("PUT", f"/devices/{alice.device_id}", {"display_name": 'a "phone"'})
    seen = bob.query(alice.user_id)["device_keys"][alice.user_id][alice.device_id]
    assert seen["unsigned"] == {"device_display_name": 'a "phone"'}


def test_users_without_keys_are_there_and_unknown_ones_are_not(alice, bob):
    answer = bob.query(alice.user_id, "@nobody:example.org")
    assert answer["device_keys"] == {alice.user_id: {}}


def test_servers_that_cannot_be_asked_are_failures(alice):
    answer = alice.query("@x:elsewhere.org")
    assert list(answer["failures"]) == ["elsewhere.org"]
    assert answer["device_keys"] == {}
