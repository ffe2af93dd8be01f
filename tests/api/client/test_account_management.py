"""The standing of accounts, their end, and tokens for others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
from urllib.parse import quote

import pytest
import requests

from tests.servers.device_keys import ClientDevice, Identity
from tests.servers.trellis import Refused, Server, User

PASSWORD = {"type": "m.login.password", "password": "pässword"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with a TURN server, and where a session may sign another one in."""
    server = Server(
        tmp_path_factory.mktemp("managing"),
        login_via_existing_session={"enabled": True, "token_timeout": "5m"},
        ui_auth={"session_timeout": "1h"},
        turn_uris=["turn:turn.example.org?transport=udp"],
        turn_shared_secret="turning",
        turn_user_lifetime="2h",
        turn_allow_guests=False,
        default_identity_server="https://id.example.org",
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def alice(server):
    return server.register()


@pytest.fixture
def bob(server):
    return server.register()


@pytest.fixture
def admin(server):
    return server.register(admin=True)


def refused(call, *arguments):
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value.status, caught.value.errcode


def log_in(server, **body):
    answer = requests.post(f"{server.base}/_matrix/client/v3/login", json=body, timeout=30)
    return answer.status_code, answer.json()


def by_password(server, user):
    return log_in(server, identifier={"type": "m.id.user", "user": user.user_id}, **PASSWORD)


def put_standing(admin, what, user_id, value):
    key = {"lock": "locked", "suspend": "suspended"}[what]
    return admin.put(f"/v1/admin/{what}/{user_id}", {key: value})


def test_a_locked_account_can_only_log_out(server, admin, alice):
    assert put_standing(admin, "lock", alice.user_id, True) == {"locked": True}
    assert admin.get(f"/v1/admin/lock/{alice.user_id}") == {"locked": True}
    with pytest.raises(Refused) as caught:
        alice.get("/v3/account/whoami")
    assert (caught.value.status, caught.value.errcode) == (401, "M_USER_LOCKED")
    assert caught.value.body["soft_logout"] is True
    assert by_password(server, alice)[1]["errcode"] == "M_USER_LOCKED"
    identified = {**PASSWORD, "identifier": {"type": "m.id.user", "user": alice.user_id}}
    url = f"{server.base}/_matrix/client/v3/account/deactivate"
    assert requests.post(url, json={"auth": identified}, timeout=30).json()["errcode"] == "M_USER_LOCKED"
    put_standing(admin, "lock", alice.user_id, False)
    alice.get("/v3/account/whoami")


def test_a_suspended_user_reads_leaves_and_redacts_their_own_and_does_nothing_else(admin, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    own, other = bob.send(room, "mine"), alice.send(room, "hers")
    put_standing(admin, "suspend", bob.user_id, True)
    path = f"/v3/rooms/{quote(room)}"
    forbidden = (403, "M_USER_SUSPENDED")
    assert refused(bob.send, room, "more") == forbidden
    assert refused(bob.put, f"/v3/profile/{bob.user_id}/displayname", {"displayname": "B"}) == forbidden
    assert refused(bob.post, f"{path}/invite", {"user_id": admin.user_id}) == forbidden
    assert refused(bob.join, room) == forbidden
    assert refused(bob.put, f"{path}/redact/{quote(other)}/t1") == forbidden
    bob.put(f"{path}/redact/{quote(own)}/t2")
    bob.sync()
    bob.post(f"{path}/leave")
    put_standing(admin, "suspend", bob.user_id, False)
    bob.join(room)


def test_only_administrators_may_judge_and_not_over_each_other(server, admin, alice, bob):
    other = server.register(admin=True)
    assert refused(alice.get, f"/v1/admin/lock/{bob.user_id}") == (403, "M_FORBIDDEN")
    assert refused(alice.get, f"/v1/admin/lock/@nobody:{server.name}") == (403, "M_FORBIDDEN")
    for what in ("lock", "suspend"):
        assert refused(put_standing, admin, what, admin.user_id, True) == (403, "M_FORBIDDEN")
        assert refused(put_standing, admin, what, other.user_id, True) == (403, "M_FORBIDDEN")
        assert refused(put_standing, admin, what, "@x:elsewhere.org", True) == (400, "M_INVALID_PARAM")
        assert refused(put_standing, admin, what, f"@nobody:{server.name}", True) == (404, "M_NOT_FOUND")
        assert refused(put_standing, admin, what, alice.user_id, 1) == (400, "M_BAD_JSON")
    assert admin.get("/v3/capabilities")["capabilities"]["m.account_moderation"] == {"suspend": True, "lock": True}
    assert "m.account_moderation" not in alice.get("/v3/capabilities")["capabilities"]


def test_whois_is_for_oneself_and_for_administrators(admin, alice, bob):
    found = alice.get(f"/v3/admin/whois/{alice.user_id}")
    connection = found["devices"][alice.device_id]["sessions"][0]["connections"][0]
    assert connection["ip"] == "127.0.0.1"
    assert admin.get(f"/v3/admin/whois/{alice.user_id}")["user_id"] == alice.user_id
    assert refused(bob.get, f"/v3/admin/whois/{alice.user_id}") == (403, "M_FORBIDDEN")


def until_left(user, room, who):
    """Sync until somebody's membership in the room is leave."""
    since = None
    for _ in range(50):
        answer = user.sync(since, timeout=2000)
        since = answer["next_batch"]
        part = answer["rooms"]["join"].get(room, {})
        events = part.get("timeline", {}).get("events", []) + part.get("state", {}).get("events", [])
        if any(e["type"] == "m.room.member" and e["state_key"] == who and e["content"]["membership"] == "leave"
               for e in events):  # fmt: skip
            return
    raise AssertionError(f"{who} did not leave")


def texts(user, room):
    found = user.get(f"/v3/rooms/{quote(room)}/messages", dir="b", limit=50)["chunk"]
    return [event["content"].get("body") for event in found if event["type"] == "m.room.message"]


def test_a_deactivated_account_leaves_its_rooms_and_nobody_gets_in(server, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.put(f"/v3/user/{bob.user_id}/account_data/org.example", {"a": 1})
    assert refused(bob.post, "/v3/account/deactivate")[0] == 401
    assert bob.post("/v3/account/deactivate", {"auth": PASSWORD}) == {"id_server_unbind_result": "success"}
    until_left(alice, room, bob.user_id)
    assert refused(bob.get, "/v3/account/whoami") == (401, "M_UNKNOWN_TOKEN")
    assert by_password(server, bob)[0] == 403
    localpart = bob.user_id[1:].partition(":")[0]
    with pytest.raises(AssertionError, match="M_USER_IN_USE"):
        server.register(localpart)


def test_newcomers_see_what_an_erased_user_sent_only_redacted(server, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.send(room, "secret")
    alice.send(room, "hello")
    bob.post("/v3/account/deactivate", {"erase": True, "auth": PASSWORD})
    until_left(alice, room, bob.user_id)
    carol = server.register()
    carol.join(room)
    assert texts(alice, room) == ["hello", "secret"]
    assert texts(carol, room) == ["hello", None]


def test_a_deactivated_account_leaves_no_keys_behind(server, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    identity = Identity(bob.user_id)
    bob.post("/v3/keys/device_signing/upload", identity.body())
    bob.post("/v3/keys/upload", {"device_keys": ClientDevice(bob.user_id, bob.device_id).keys()})
    version = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "a"}}
    bob.post("/v3/room_keys/version", version)
    assert alice.post("/v3/keys/query", {"device_keys": {bob.user_id: []}})["master_keys"] != {}
    bob.post("/v3/account/deactivate", {"auth": PASSWORD})
    found = alice.post("/v3/keys/query", {"device_keys": {bob.user_id: []}})
    assert (found["device_keys"], found["master_keys"]) == ({bob.user_id: {}}, {})
    with sqlite3.connect(server.folder / "hs.db") as database:
        kept = database.execute("SELECT COUNT(*) FROM key_backup_versions v JOIN users u USING (user_nid) "
                                "WHERE u.user_id = ?", (bob.user_id,)).fetchone()  # fmt: skip
    database.close()
    assert kept == (0,)


def test_a_login_token_signs_one_client_in_once(server, alice):
    assert {"type": "m.login.token", "get_login_token": True} in requests.get(
        f"{server.base}/_matrix/client/v3/login", timeout=10
    ).json()["flows"]
    assert refused(alice.post, "/v1/login/get_token")[0] == 401
    found = alice.post("/v1/login/get_token", {"auth": PASSWORD})
    assert found["expires_in_ms"] == 300_000
    assert log_in(server, type="m.login.token", token=found["login_token"])[1]["user_id"] == alice.user_id
    assert log_in(server, type="m.login.token", token=found["login_token"])[0] == 403
    assert refused(alice.post, "/v1/login/get_token")[0] == 401


def test_an_openid_token_says_who_somebody_is_and_is_good_for_nothing_else(server, alice, bob):
    found = alice.post(f"/v3/user/{alice.user_id}/openid/request_token")
    assert (found["token_type"], found["matrix_server_name"], found["expires_in"]) == ("Bearer", server.name, 3600)
    url = f"{server.base}/_matrix/federation/v1/openid/userinfo"
    answer = requests.get(url, params={"access_token": found["access_token"]}, timeout=10)
    assert answer.json() == {"sub": alice.user_id}
    assert requests.get(url, params={"access_token": "x"}, timeout=10).json()["errcode"] == "M_UNKNOWN_TOKEN"
    assert requests.get(url, timeout=10).status_code == 401
    impostor = User(server.base, alice.user_id, found["access_token"], "")
    assert refused(impostor.get, "/v3/account/whoami") == (401, "M_UNKNOWN_TOKEN")
    assert refused(bob.post, f"/v3/user/{alice.user_id}/openid/request_token") == (403, "M_FORBIDDEN")


def test_turn_credentials_are_what_coturn_expects(alice):
    found = alice.get("/v3/voip/turnServer")
    digest = hmac.new(b"turning", found["username"].encode(), hashlib.sha1).digest()
    assert found["password"] == base64.b64encode(digest).decode()
    assert found["username"].partition(":")[2] == alice.user_id
    assert (found["ttl"], found["uris"]) == (7200, ["turn:turn.example.org?transport=udp"])


def test_there_is_no_oauth_and_clients_hear_of_the_identity_server(server, alice):
    assert refused(alice.get, "/v1/auth_metadata") == (404, "M_UNRECOGNIZED")
    found = requests.get(f"{server.base}/.well-known/matrix/client", timeout=10).json()
    assert found["m.identity_server"] == {"base_url": "https://id.example.org"}


def test_the_command_line_reaches_the_running_server(server, alice):
    from core.control.client import ask

    assert ask(server.folder / "hsctl.sock", "user show", {"user": alice.user_id})["user_id"] == alice.user_id
