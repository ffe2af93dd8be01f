"""Registration, over HTTP."""

from dataclasses import replace

import pytest

from core.accounts.registration import NewAccount, UserKinds
from core.config.registration import RegistrationConfig
from core.errors import InvalidParam
from core.storage.registration_tokens import RegistrationToken

OPEN = replace(RegistrationConfig(), enable_registration=True, enable_registration_without_verification=True)
DUMMY = {"type": "m.login.dummy"}


@pytest.fixture
def open_server(make_accounts):
    return make_accounts(registration=OPEN)


def register(accounts, username="alice", auth=None, **fields):
    body = {"username": username, "password": "secret", **fields}
    if auth is not None:
        body["auth"] = auth
    return accounts.request("POST", "/register", body)


def test_registration_is_closed_by_default_and_says_so(accounts):
    answer = register(accounts)
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_FORBIDDEN")
    assert "ask its administrator" in answer.json["error"]


def test_a_client_is_told_what_to_do_and_does_it(open_server):
    asked = register(open_server)
    assert asked.status_code == 401
    assert "errcode" not in asked.json
    assert asked.json["flows"] == [{"stages": ["m.login.dummy"]}]
    made = register(open_server, auth={**DUMMY, "session": asked.json["session"]}).json
    assert made["user_id"] == "@alice:example.org"
    assert open_server.request("GET", "/account/whoami", token=made["access_token"]).status_code == 200
    assert open_server.log_in("alice").status_code == 200


def test_the_stage_may_come_with_the_first_request(open_server):
    assert register(open_server, auth=DUMMY).json["user_id"] == "@alice:example.org"


def test_a_client_that_lost_the_answer_may_repeat_the_request(open_server):
    session = register(open_server).json["session"]
    first = register(open_server, auth={**DUMMY, "session": session}).json
    again = register(open_server, auth={**DUMMY, "session": session}).json
    assert again["user_id"] == first["user_id"]


def test_a_session_is_good_for_its_own_request_only(open_server):
    session = register(open_server, username="alice").json["session"]
    answer = register(open_server, username="mallory", auth={**DUMMY, "session": session})
    assert answer.status_code == 400
    assert open_server.users.find("@mallory:example.org") is None


def test_what_was_said_before_need_not_be_said_again(open_server):
    session = register(open_server, device_id="PHONE").json["session"]
    made = open_server.request("POST", "/register", {"auth": {**DUMMY, "session": session}}).json
    assert (made["user_id"], made["device_id"]) == ("@alice:example.org", "PHONE")
    assert open_server.log_in("alice").status_code == 200
    assert "request" not in open_server.database.value("SELECT progress FROM auth_sessions").decode()


def test_more_may_be_said_later(open_server):
    session = open_server.request("POST", "/register", {}).json["session"]
    for _ in range(2):
        made = register(open_server, auth={**DUMMY, "session": session}).json
        assert made["user_id"] == "@alice:example.org"


def test_what_a_session_remembers_cannot_be_read_in_the_database(open_server):
    register(open_server, password="a word nobody may read")
    assert b"word" not in open_server.database.value("SELECT progress FROM auth_sessions")


def test_a_session_that_expired_is_replaced(open_server):
    session = register(open_server).json["session"]
    open_server.clock.ms += 49 * 3600 * 1000
    answer = register(open_server, auth={**DUMMY, "session": session})
    assert answer.status_code == 401
    assert answer.json["session"] != session
    assert open_server.database.value("SELECT COUNT(*) FROM auth_sessions") == 1


@pytest.mark.parametrize("auth", [{"type": "m.login.password", "password": "x"}, {"type": 7}, {"type": "m.login.sso"}])
def test_a_stage_that_is_not_offered_is_a_failed_attempt(open_server, auth):
    answer = register(open_server, auth=auth)
    assert (answer.status_code, answer.json["errcode"]) == (401, "M_UNKNOWN")
    assert answer.json["flows"] == [{"stages": ["m.login.dummy"]}]


@pytest.mark.parametrize(
    ("username", "errcode"),
    [
        ("alice", "M_USER_IN_USE"),
        ("ALICE", "M_USER_IN_USE"),
        ("", "M_INVALID_USERNAME"),
        ("al ice", "M_INVALID_USERNAME"),
        ("älice", "M_INVALID_USERNAME"),
        ("_bridge", "M_INVALID_USERNAME"),
        ("12345", "M_INVALID_USERNAME"),
        ("a" * 243, "M_INVALID_USERNAME"),
        (7, "M_BAD_JSON"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused_before_any_stage(open_server, username, errcode):
    open_server.user("alice")
    answer = register(open_server, username=username)
    assert (answer.status_code, answer.json["errcode"]) == (400, errcode)


def test_a_name_may_be_as_long_as_the_id_allows(open_server):
    assert register(open_server, username="a" * 242, auth=DUMMY).status_code == 200


def test_who_names_nothing_gets_a_name(open_server):
    answer = open_server.request("POST", "/register", {"password": "secret", "auth": DUMMY})
    assert answer.json["user_id"].endswith(":example.org")


def test_no_session_is_made_where_none_is_wanted(open_server):
    answer = register(open_server, auth=DUMMY, inhibit_login=True).json
    assert "access_token" not in answer
    assert "device_id" not in answer


def test_a_new_account_has_its_localpart_as_display_name(open_server):
    register(open_server, auth=DUMMY)
    nid = open_server.users.find("@alice:example.org").user_nid
    assert open_server.profile_store.find(nid) == {"displayname": "alice"}


def test_availability_is_what_registration_would_say(open_server):
    open_server.user("alice")
    assert open_server.request("GET", "/register/available?username=bob").json == {"available": True}
    taken = open_server.request("GET", "/register/available?username=alice")
    assert (taken.status_code, taken.json["errcode"]) == (400, "M_USER_IN_USE")
    assert open_server.request("GET", "/register/available").json["errcode"] == "M_MISSING_PARAM"


def test_weak_passwords_are_refused(make_accounts):
    from core.config.auth import AuthConfig

    policy = {"enabled": True, "minimum_length": 8, "require_digit": True}
    accounts = make_accounts(registration=OPEN, auth=replace(AuthConfig(), password_policy=policy))
    assert register(accounts).json["errcode"] == "M_WEAK_PASSWORD"
    assert "digit" in register(accounts, password="longenough").json["error"]


@pytest.fixture
def by_token(make_accounts):
    accounts = make_accounts(
        registration=replace(RegistrationConfig(), enable_registration=True, registration_requires_token=True)
    )
    token = RegistrationToken("letmein", 1, 0, None, 0)
    accounts.writer.submit(lambda tx: accounts.registration_tokens.set(tx, token))
    return accounts


def test_a_registration_token_lets_in_as_often_as_it_says(by_token):
    auth = {"type": "m.login.registration_token", "token": "letmein"}
    asked = register(by_token)
    assert asked.json["flows"] == [{"stages": ["m.login.registration_token"]}]
    assert register(by_token, auth={**auth, "token": "wrong"}).json["errcode"] == "M_FORBIDDEN"
    assert register(by_token, auth=auth).status_code == 200
    assert register(by_token, username="bob", auth=auth).status_code == 401


def test_the_validity_of_a_token_can_be_asked(by_token):
    path = "/_matrix/client/v1/register/m.login.registration_token/validity?token="
    assert by_token.request("GET", path + "letmein").json == {"valid": True}
    assert by_token.request("GET", path + "wrong").json == {"valid": False}


def test_guests_are_let_in_only_where_that_is_configured(make_accounts, accounts):
    answer = accounts.request("POST", "/register?kind=guest", {})
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_GUEST_ACCESS_FORBIDDEN")


def test_a_guest_may_become_a_user(make_accounts):
    accounts = make_accounts(registration=replace(OPEN, allow_guest_access=True))
    guest = accounts.request("POST", "/register?kind=guest", {}).json
    name = guest["user_id"][1:].partition(":")[0]
    assert name.isdigit()
    who = accounts.request("GET", "/account/whoami", token=guest["access_token"]).json
    assert who["is_guest"] is True
    made = register(accounts, username=name, auth=DUMMY, guest_access_token=guest["access_token"]).json
    who = accounts.request("GET", "/account/whoami", token=made["access_token"]).json
    assert (who["user_id"], who["is_guest"]) == (guest["user_id"], False)
    assert accounts.log_in(name).status_code == 200


def test_an_unknown_kind_is_refused(open_server):
    assert open_server.request("POST", "/register?kind=robot", {}).json["errcode"] == "M_INVALID_PARAM"


def test_the_shared_secret_makes_accounts_where_registration_is_closed(accounts):
    made = accounts.user("root", admin=True, displayname="The root")
    assert set(made) == {"access_token", "device_id", "home_server", "user_id"}
    user = accounts.users.find(made["user_id"])
    assert user.is_admin
    assert accounts.profile_store.find(user.user_nid) == {"displayname": "The root"}


def test_a_nonce_is_good_for_one_minute_and_one_use(accounts):
    nonce = accounts.request("GET", "/_synapse/admin/v1/register").json["nonce"]
    body = {"nonce": nonce, "username": "a", "password": "b", "mac": "00"}
    assert accounts.request("POST", "/_synapse/admin/v1/register", body).status_code == 403
    again = accounts.request("POST", "/_synapse/admin/v1/register", body)
    assert (again.status_code, "before" in again.json["error"]) == (400, True)
    body["nonce"] = accounts.request("GET", "/_synapse/admin/v1/register").json["nonce"]
    accounts.clock.ms += 60_001
    assert "older" in accounts.request("POST", "/_synapse/admin/v1/register", body).json["error"]


def test_asking_what_to_do_spends_nothing_of_the_limit(make_accounts):
    accounts = make_accounts(registration=OPEN, limits={"rc_registration": (0.001, 1)})
    assert [register(accounts).status_code for _ in range(3)] == [401, 401, 401]
    assert register(accounts, auth=DUMMY).status_code == 200
    assert register(accounts, username="bob").status_code == 429


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        (NewAccount("a"), "person"),
        (NewAccount("a", user_type="robot"), "robot"),
        (NewAccount("a", user_type="bot"), "bot"),
        (NewAccount("a", is_guest=True), None),
    ],
)
def test_a_new_user_is_of_the_kind_that_was_named_or_the_usual_one(account: NewAccount, kind: str | None) -> None:
    assert UserKinds(("robot",), "person").of(account) == kind


def test_there_are_no_other_kinds_of_users_than_the_configured() -> None:
    with pytest.raises(InvalidParam, match="one of support, bot, robot"):
        UserKinds(("robot",)).of(NewAccount("a", user_type="rob"))
