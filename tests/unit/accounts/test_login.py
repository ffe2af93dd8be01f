"""Login, refresh and logout, over HTTP."""

from dataclasses import replace

import pytest

from core.config.auth import AuthConfig
from core.config.registration import RegistrationConfig


def whoami(accounts, token):
    return accounts.request("GET", "/account/whoami", token=token)


def test_the_password_flow_is_offered(accounts):
    assert {"type": "m.login.password"} in accounts.request("GET", "/login").json["flows"]


@pytest.mark.parametrize("typed", ["alice", "ALICE", "@alice:example.org", "@Alice:example.org"])
def test_a_user_signs_in_by_localpart_or_full_id_in_any_case(accounts, typed):
    accounts.user("alice")
    answer = accounts.log_in(typed, device_id="PHONE").json
    assert (answer["user_id"], answer["device_id"]) == ("@alice:example.org", "PHONE")
    assert whoami(accounts, answer["access_token"]).json == {
        "user_id": "@alice:example.org",
        "device_id": "PHONE",
        "is_guest": False,
    }


def test_the_legacy_form_of_the_user_works(accounts):
    accounts.user("alice")
    body = {"type": "m.login.password", "user": "alice", "password": "secret"}
    assert accounts.request("POST", "/login", body).status_code == 200


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "wrong"), ("nobody", "secret"), ("@alice:else.org", "secret")]
)
def test_wrong_credentials_are_all_answered_alike(accounts, user, password):
    accounts.user("alice")
    answer = accounts.log_in(user, password)
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_FORBIDDEN")
    assert answer.json["error"] == "The user name or the password is wrong."


@pytest.mark.parametrize(
    ("body", "status", "errcode"),
    [
        ({}, 400, "M_UNKNOWN"),
        ({"type": "m.login.magic"}, 400, "M_UNKNOWN"),
        ({"type": 7}, 400, "M_UNKNOWN"),
        ({"type": "m.login.password", "password": "x"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "identifier": 7, "password": "x"}, 400, "M_BAD_JSON"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.user"}, "password": "x"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "identifier": {"type": "x"}, "password": "x"}, 400, "M_UNKNOWN"),
        ({"type": "m.login.password", "user": "alice"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "user": "alice", "password": 7}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "medium": "email", "address": "a@b", "password": "x"}, 403, "M_FORBIDDEN"),
        ({"type": "m.login.password", "user": "a", "password": "x", "device_id": 7}, 400, "M_BAD_JSON"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(accounts, body, status, errcode):
    answer = accounts.request("POST", "/login", body)
    assert (answer.status_code, answer.json["errcode"]) == (status, errcode)
    assert answer.json["error"].endswith(".")


def test_a_phone_number_is_recognized_and_unknown(accounts):
    identifier = {"type": "m.id.phone", "country": "GB", "phone": "07700900001"}
    answer = accounts.request("POST", "/login", {"type": "m.login.password", "identifier": identifier, "password": "x"})
    assert answer.json["errcode"] == "M_FORBIDDEN"


def test_a_hash_pasted_by_sql_works_at_the_next_login(accounts):
    accounts.user("alice")
    assert accounts.log_in("alice").status_code == 200
    hashed = accounts.passwords.hash("pasted")
    accounts.writer.submit(
        lambda tx: tx.run("UPDATE users SET password_hash = ? WHERE user_id = ?", (hashed, "@alice:example.org"))
    )
    assert accounts.log_in("alice", "pasted").status_code == 200
    assert accounts.log_in("alice", "secret").status_code == 403


def test_signing_in_again_on_a_device_ends_its_old_token(accounts):
    accounts.user("alice")
    first = accounts.log_in("alice", device_id="PHONE").json["access_token"]
    assert whoami(accounts, first).status_code == 200
    second = accounts.log_in("alice", device_id="PHONE").json["access_token"]
    assert whoami(accounts, first).json["errcode"] == "M_UNKNOWN_TOKEN"
    assert whoami(accounts, second).status_code == 200


def test_tokens_are_stored_as_hashes_only(accounts):
    token = accounts.user("alice")["access_token"]
    rows = accounts.database.rows("SELECT token_hash FROM access_tokens")
    assert token.startswith("trls_")
    assert all(isinstance(row[0], bytes) and len(row[0]) == 32 for row in rows)


@pytest.mark.parametrize(
    ("flag", "status", "errcode"), [("is_deactivated", 403, "M_USER_DEACTIVATED"), ("is_locked", 401, "M_USER_LOCKED")]
)
def test_an_account_that_may_not_sign_in_is_told_why(accounts, flag, status, errcode):
    accounts.user("alice")
    nid = accounts.users.find("@alice:example.org").user_nid
    accounts.writer.submit(lambda tx: accounts.users.set_flag(tx, nid, flag, True))
    answer = accounts.log_in("alice")
    assert (answer.status_code, answer.json["errcode"]) == (status, errcode)
    assert accounts.log_in("alice", "wrong").json["errcode"] == "M_FORBIDDEN"


def test_a_locked_account_may_only_log_out(accounts):
    token = accounts.user("alice")["access_token"]
    assert whoami(accounts, token).status_code == 200
    nid = accounts.users.find("@alice:example.org").user_nid
    accounts.writer.submit(lambda tx: accounts.users.set_flag(tx, nid, "is_locked", True))
    answer = whoami(accounts, token)
    assert (answer.status_code, answer.json["errcode"], answer.json["soft_logout"]) == (401, "M_USER_LOCKED", True)
    assert accounts.request("POST", "/logout", token=token).status_code == 200
    assert whoami(accounts, token).json["errcode"] == "M_UNKNOWN_TOKEN"


def test_logout_removes_the_device_and_leaves_the_others(accounts):
    accounts.user("alice")
    phone = accounts.log_in("alice", device_id="PHONE").json["access_token"]
    laptop = accounts.log_in("alice", device_id="LAPTOP").json["access_token"]
    assert accounts.request("POST", "/logout", token=phone).json == {}
    answer = whoami(accounts, phone)
    assert (answer.status_code, answer.json["soft_logout"]) == (401, False)
    assert whoami(accounts, laptop).status_code == 200
    nid = accounts.users.find("@alice:example.org").user_nid
    assert "PHONE" not in [device.device_id for device in accounts.devices.of_user(nid)]


def test_logging_out_everywhere_ends_every_session(accounts):
    tokens = [accounts.user("alice")["access_token"], accounts.log_in("alice").json["access_token"]]
    accounts.request("POST", "/logout/all", token=tokens[0])
    assert [whoami(accounts, token).status_code for token in tokens] == [401, 401]


def test_a_token_survives_a_restart(accounts):
    token = accounts.user("alice")["access_token"]
    accounts.build()
    assert whoami(accounts, token).status_code == 200


@pytest.fixture
def refreshing(accounts):
    accounts.user("alice")
    return accounts, accounts.log_in("alice", refresh_token=True).json


def refresh(accounts, token):
    return accounts.request("POST", "/refresh", {"refresh_token": token})


def test_a_refreshable_token_expires_softly(refreshing):
    accounts, login = refreshing
    assert login["expires_in_ms"] == accounts.auth.refreshable_access_token_lifetime
    accounts.clock.ms += login["expires_in_ms"]
    answer = whoami(accounts, login["access_token"])
    assert (answer.status_code, answer.json["errcode"], answer.json["soft_logout"]) == (401, "M_UNKNOWN_TOKEN", True)
    renewed = refresh(accounts, login["refresh_token"]).json
    assert whoami(accounts, renewed["access_token"]).json["device_id"] == login["device_id"]


def test_a_refresh_token_may_be_used_again_until_its_successor_is(refreshing):
    accounts, login = refreshing
    lost = refresh(accounts, login["refresh_token"]).json
    kept = refresh(accounts, login["refresh_token"]).json
    assert whoami(accounts, login["access_token"]).status_code == 200
    assert whoami(accounts, lost["access_token"]).status_code == 401
    assert whoami(accounts, kept["access_token"]).status_code == 200
    assert refresh(accounts, login["refresh_token"]).json["errcode"] == "M_UNKNOWN_TOKEN"
    assert whoami(accounts, login["access_token"]).status_code == 401


def test_using_the_next_refresh_token_spends_the_first(refreshing):
    accounts, login = refreshing
    second = refresh(accounts, login["refresh_token"]).json
    third = refresh(accounts, second["refresh_token"])
    assert third.status_code == 200
    assert refresh(accounts, login["refresh_token"]).status_code == 401


def test_logout_ends_the_refresh_token_too(refreshing):
    accounts, login = refreshing
    accounts.request("POST", "/logout", token=login["access_token"])
    assert refresh(accounts, login["refresh_token"]).status_code == 401


def test_an_unused_refresh_token_expires_where_that_is_configured(make_accounts):
    accounts = make_accounts(auth=replace(AuthConfig(), refresh_token_lifetime=1000))
    accounts.user("alice")
    login = accounts.log_in("alice", refresh_token=True).json
    accounts.clock.ms += 1000
    assert refresh(accounts, login["refresh_token"]).json["soft_logout"] is True


def test_failed_attempts_are_limited_by_account(make_accounts):
    accounts = make_accounts(limits={"rc_login.failed_attempts": (0.01, 2)})
    accounts.user("alice")
    accounts.user("bob")
    assert [accounts.log_in("alice", "wrong").status_code for _ in range(3)] == [403, 403, 429]
    assert accounts.log_in("alice").status_code == 429
    assert accounts.log_in("bob").status_code == 200


def test_the_device_unseen_for_longest_gives_way(make_accounts):
    accounts = make_accounts(auth=replace(AuthConfig(), max_devices_per_user=2))
    first = accounts.user("alice")["access_token"]
    others = []
    for _ in range(2):
        accounts.clock.ms += 1
        others.append(accounts.log_in("alice").json["access_token"])
    assert whoami(accounts, first).status_code == 401
    assert [whoami(accounts, token).status_code for token in others] == [200, 200]


def test_what_devices_do_is_noted_and_written_later(accounts):
    answer = accounts.user("alice")
    accounts.clock.ms += 5
    whoami(accounts, answer["access_token"])
    nid = accounts.users.find(answer["user_id"]).user_nid
    assert accounts.devices.find(nid, answer["device_id"]).last_seen_ms is None
    accounts.last_seen.flush()
    assert accounts.devices.find(nid, answer["device_id"]).last_seen_ms == accounts.clock.ms


def test_guests_do_not_sign_in_with_a_password(make_accounts):
    accounts = make_accounts(registration=replace(RegistrationConfig(), allow_guest_access=True))
    guest = accounts.request("POST", "/register?kind=guest", {}).json
    assert accounts.log_in(guest["user_id"], "").status_code == 403
