"""Key backups over HTTP: versions, keys, which copy wins, counts and etags."""

import pytest

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
ROOM = "!room:example.org"


@pytest.fixture
def version(alice):
    return create(alice)


def create(person):
    body = {"algorithm": ALGORITHM, "auth_data": {"public_key": "abc"}}
    return person.ask("POST", "/room_keys/version", body)["version"]


def key(index=0, forwarded=0, verified=False, text="x"):
    return {
        "first_message_index": index,
        "forwarded_count": forwarded,
        "is_verified": verified,
        "session_data": {"ciphertext": text},
    }


def test_a_new_version_is_empty_and_current(alice, version):
    found = alice.ask("GET", "/room_keys/version")
    assert found == {
        "algorithm": ALGORITHM,
        "auth_data": {"public_key": "abc"},
        "count": 0,
        "etag": "0",
        "version": version,
    }
    assert alice.ask("GET", f"/room_keys/version/{version}") == found


def test_without_a_backup_there_is_none(alice):
    assert alice.refused("GET", "/room_keys/version")[0] == 404
    assert alice.refused("GET", "/room_keys/version/1")[1]["errcode"] == "M_NOT_FOUND"
    assert alice.refused("GET", "/room_keys/version/01")[1]["errcode"] == "M_NOT_FOUND"


def test_keys_come_back_as_they_were_stored(alice, version):
    query = f"?version={version}"
    answer = alice.ask("PUT", f"/room_keys/keys/{ROOM}/s1{query}", key(text="one"))
    assert answer["count"] == 1
    answer = alice.ask("PUT", f"/room_keys/keys/{ROOM}{query}", {"sessions": {"s2": key(text="two")}})
    assert answer["count"] == 2
    body = {"rooms": {"!other:example.org": {"sessions": {"s3/+": key(text="three")}}}}
    assert alice.ask("PUT", f"/room_keys/keys{query}", body)["count"] == 3
    everything = alice.ask("GET", f"/room_keys/keys{query}")["rooms"]
    assert everything == {
        ROOM: {"sessions": {"s1": key(text="one"), "s2": key(text="two")}},
        "!other:example.org": {"sessions": {"s3/+": key(text="three")}},
    }
    assert alice.ask("GET", f"/room_keys/keys/{ROOM}{query}") == everything[ROOM]
    assert alice.ask("GET", f"/room_keys/keys/{ROOM}/s1{query}") == key(text="one")
    assert alice.refused("GET", f"/room_keys/keys/{ROOM}/s9{query}")[1]["errcode"] == "M_NOT_FOUND"
    assert alice.ask("GET", f"/room_keys/keys/!empty:x{query}") == {"sessions": {}}


@pytest.mark.parametrize(
    ("stored", "given", "wins"),
    [
        (key(5, 5, False), key(9, 9, True), True),
        (key(9, 9, True), key(0, 0, False), False),
        (key(5, 5), key(4, 9), True),
        (key(5, 5), key(6, 0), False),
        (key(5, 5), key(5, 4), True),
        (key(5, 5), key(5, 5, text="same merit"), False),
    ],
)
def test_the_better_copy_wins(alice, version, stored, given, wins):
    path = f"/room_keys/keys/{ROOM}/s?version={version}"
    first = alice.ask("PUT", path, stored)
    second = alice.ask("PUT", path, given)
    assert alice.ask("GET", path) == (given if wins else stored)
    assert second["count"] == 1
    assert (second["etag"] != first["etag"]) is wins


def test_keys_go_only_to_the_current_version(alice, version):
    newer = create(alice)
    status, error = alice.refused("PUT", f"/room_keys/keys/{ROOM}/s?version={version}", key())
    assert (status, error["errcode"], error["current_version"]) == (403, "M_WRONG_ROOM_KEYS_VERSION", newer)


def test_deleting_keys_counts_them(alice, version):
    sessions = {"sessions": {f"s{n}": key() for n in range(4)}}
    alice.ask("PUT", f"/room_keys/keys/{ROOM}?version={version}", sessions)
    alice.ask("PUT", f"/room_keys/keys/!other:x/s?version={version}", key())
    assert alice.ask("DELETE", f"/room_keys/keys/{ROOM}/s0?version={version}")["count"] == 4
    before = alice.ask("DELETE", f"/room_keys/keys/{ROOM}?version={version}")
    assert before["count"] == 1
    assert alice.ask("DELETE", f"/room_keys/keys/{ROOM}?version={version}") == before
    assert alice.ask("DELETE", f"/room_keys/keys?version={version}")["count"] == 0


def test_a_deleted_version_is_gone_and_its_number_is_not_used_again(alice, version):
    alice.ask("PUT", f"/room_keys/keys/{ROOM}/s?version={version}", key())
    for _ in range(2):
        alice.ask("DELETE", f"/room_keys/version/{version}")
    assert alice.refused("GET", f"/room_keys/keys?version={version}")[0] == 404
    assert alice.refused("GET", "/room_keys/version")[0] == 404
    assert alice.refused("DELETE", "/room_keys/version/77")[0] == 404
    assert create(alice) != version


def test_deleting_the_current_version_makes_the_one_before_current(alice, version):
    newer = create(alice)
    alice.ask("DELETE", f"/room_keys/version/{newer}")
    assert alice.ask("GET", "/room_keys/version")["version"] == version


def test_only_the_auth_data_of_a_version_changes(alice, version):
    path = f"/room_keys/version/{version}"
    alice.ask("PUT", path, {"algorithm": ALGORITHM, "auth_data": {"public_key": "new"}, "version": version})
    assert alice.ask("GET", path)["auth_data"] == {"public_key": "new"}
    for body in ({"algorithm": "other", "auth_data": {}}, {"algorithm": ALGORITHM, "auth_data": {}, "version": "9"}):
        assert alice.refused("PUT", path, body)[1]["errcode"] == "M_INVALID_PARAM"
    assert alice.refused("PUT", "/room_keys/version/9", {"algorithm": ALGORITHM, "auth_data": {}})[0] == 404


def test_a_backup_is_its_owners_alone(alice, bob, version):
    alice.ask("PUT", f"/room_keys/keys/{ROOM}/s?version={version}", key())
    assert bob.refused("GET", f"/room_keys/keys?version={version}")[0] == 404
    create(bob)
    assert bob.ask("GET", f"/room_keys/keys?version={version}") == {"rooms": {}}


@pytest.mark.parametrize(
    "body",
    [
        {**key(), "first_message_index": 1.5},
        {**key(), "is_verified": 1},
        {**key(), "session_data": "x"},
        {**key(), "forwarded_count": True},
    ],
)
def test_junk_is_refused(alice, version, body):
    assert alice.refused("PUT", f"/room_keys/keys/{ROOM}/s?version={version}", body)[1]["errcode"] == "M_BAD_JSON"


def test_the_version_must_be_named(alice, version):
    assert alice.refused("GET", "/room_keys/keys")[1]["errcode"] == "M_MISSING_PARAM"
