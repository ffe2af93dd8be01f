"""Profiles, over HTTP."""

from dataclasses import replace

import pytest

from core.config.registration import RegistrationConfig
from core.storage.log import Kind, LogReader

ALICE = "/profile/@alice:example.org"


@pytest.fixture
def alice(accounts):
    token = accounts.user("alice")["access_token"]

    def request(method, path, body=None):
        return accounts.request(method, path, body, token)

    return request


def test_a_profile_is_read_by_anybody(accounts, alice):
    assert alice("PUT", f"{ALICE}/displayname", {"displayname": "Alice"}).json == {}
    alice("PUT", f"{ALICE}/avatar_url", {"avatar_url": "mxc://example.org/abc"})
    assert accounts.request("GET", ALICE).json == {"displayname": "Alice", "avatar_url": "mxc://example.org/abc"}
    assert accounts.request("GET", f"{ALICE}/displayname").json == {"displayname": "Alice"}


@pytest.mark.parametrize("key", ["org.example.thing", "nodots", "with-hyphen.and_2"])
def test_any_value_may_be_kept_under_any_identifier(accounts, alice, key):
    for value in (None, 1, [1, {"a": None}], "", {"x": "y"}):
        assert alice("PUT", f"{ALICE}/{key}", {key: value}).status_code == 200
        assert accounts.request("GET", f"{ALICE}/{key}").json == {key: value}


def test_an_avatar_may_be_anywhere(accounts, alice):
    assert alice("PUT", f"{ALICE}/avatar_url", {"avatar_url": "http://example.org/me.png"}).status_code == 200
    assert accounts.request("GET", f"{ALICE}/avatar_url").json == {"avatar_url": "http://example.org/me.png"}


def test_a_field_is_removed_whether_it_was_set_or_not(accounts, alice):
    assert alice("DELETE", f"{ALICE}/displayname").json == {}
    assert alice("DELETE", f"{ALICE}/displayname").json == {}
    answer = accounts.request("GET", f"{ALICE}/displayname")
    assert (answer.status_code, answer.json["errcode"]) == (404, "M_NOT_FOUND")
    assert accounts.request("GET", ALICE).json == {}


def test_an_empty_name_is_no_name(accounts, alice):
    alice("PUT", f"{ALICE}/displayname", {"displayname": ""})
    assert accounts.request("GET", ALICE).json == {}


@pytest.mark.parametrize(
    ("key", "body", "status", "errcode"),
    [
        ("displayname", {"displayname": None}, 400, "M_INVALID_PARAM"),
        ("displayname", {"other": "x"}, 400, "M_MISSING_PARAM"),
        ("displayname", [], 400, "M_BAD_JSON"),
        ("avatar_url", {"avatar_url": "https://example.org/" + "x" * 1_000}, 400, "M_INVALID_PARAM"),
        ("m.tz", {"m.tz": 7}, 400, "M_INVALID_PARAM"),
        ("no dots", {"no dots": 1}, 400, "M_INVALID_PARAM"),
        ("Org.example", {"Org.example": 1}, 400, "M_INVALID_PARAM"),
        ("a." + "b" * 254, {"a." + "b" * 254: 1}, 400, "M_KEY_TOO_LARGE"),
        ("org.example", {"org.example": "x" * 65_536}, 400, "M_PROFILE_TOO_LARGE"),
    ],
)
def test_what_does_not_fit_is_refused(alice, key, body, status, errcode):
    answer = alice("PUT", f"{ALICE}/{key}", body)
    assert (answer.status_code, answer.json["errcode"]) == (status, errcode)


def test_nobody_changes_the_profile_of_another(accounts, alice):
    bob = accounts.user("bob")["access_token"]
    answer = accounts.request("PUT", f"{ALICE}/displayname", {"displayname": "x"}, bob)
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_FORBIDDEN")
    assert accounts.request("PUT", f"{ALICE}/displayname", {"displayname": "x"}).status_code == 401


def test_an_administrator_may_change_any_profile(accounts, alice):
    root = accounts.user("root", admin=True)["access_token"]
    assert accounts.request("PUT", f"{ALICE}/displayname", {"displayname": "x"}, root).status_code == 200


@pytest.mark.parametrize("user_id", ["@nobody:example.org", "@alice:else.org"])
def test_a_user_who_is_not_known_has_no_profile(accounts, user_id):
    answer = accounts.request("GET", f"/profile/{user_id}")
    assert (answer.status_code, answer.json["errcode"]) == (404, "M_NOT_FOUND")


def test_a_change_is_told_in_the_log_once(accounts, alice):
    nid = accounts.users.find("@alice:example.org").user_nid
    before = LogReader(accounts.database).tip()
    alice("PUT", f"{ALICE}/displayname", {"displayname": "Alice"})
    alice("PUT", f"{ALICE}/displayname", {"displayname": "Alice"})
    lines = LogReader(accounts.database).lines(before, before + 10, [Kind.PROFILE])
    assert [(line.subject, line.position) for line in lines] == [(nid, before + 1)]


def test_a_guest_may_change_only_the_display_name(make_accounts):
    accounts = make_accounts(registration=replace(RegistrationConfig(), allow_guest_access=True))
    guest = accounts.request("POST", "/register?kind=guest", {}).json
    path, token = f"/profile/{guest['user_id']}", guest["access_token"]
    assert accounts.request("PUT", f"{path}/displayname", {"displayname": "G"}, token).status_code == 200
    refused = accounts.request("PUT", f"{path}/m.tz", {"m.tz": "Europe/Paris"}, token)
    assert refused.json["errcode"] == "M_GUEST_ACCESS_FORBIDDEN"


def test_names_stay_where_the_server_says_so(make_accounts):
    accounts = make_accounts(registration=replace(RegistrationConfig(), enable_set_displayname=False))
    token = accounts.user("alice")["access_token"]
    answer = accounts.request("PUT", f"{ALICE}/displayname", {"displayname": "x"}, token)
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_FORBIDDEN")
