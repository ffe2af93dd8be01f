"""Pushers over HTTP: set, listed, replaced, removed."""

from __future__ import annotations

import pytest

from tests.servers.trellis import Refused

URL = "https://push.example.org/_matrix/push/v1/notify"


def pusher(**changes):
    """A pusher as a phone sets it."""
    return {
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": "key",
        "app_display_name": "App",
        "device_display_name": "Phone",
        "profile_tag": "x",
        "lang": "en",
        "data": {"url": URL, "format": "event_id_only"},
        **changes,
    }


def listed(user):
    return user.get("/v3/pushers")["pushers"]


def test_a_pusher_is_listed_as_it_was_set(alice):
    alice.post("/v3/pushers/set", pusher())
    assert listed(alice) == [pusher()]


def test_setting_a_pusher_again_replaces_it(alice):
    alice.post("/v3/pushers/set", pusher())
    alice.post("/v3/pushers/set", pusher(lang="de"))
    assert [one["lang"] for one in listed(alice)] == ["de"]


def test_the_same_pushkey_of_another_user_goes_unless_it_is_appended(alice, bob):
    alice.post("/v3/pushers/set", pusher(pushkey="shared"))
    bob.post("/v3/pushers/set", pusher(pushkey="shared", append=True))
    assert len(listed(alice)) == 1
    bob.post("/v3/pushers/set", pusher(pushkey="shared", append=False))
    assert listed(alice) == []
    assert len(listed(bob)) == 1


def test_null_removes_a_pusher(alice):
    alice.post("/v3/pushers/set", pusher())
    alice.post("/v3/pushers/set", {"kind": None, "app_id": "org.example.app", "pushkey": "key"})
    assert listed(alice) == []


def test_a_pusher_goes_with_the_device_that_set_it(alice):
    alice.post("/v3/pushers/set", pusher())
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user_id}}
    other = alice.post("/v3/login", {**login, "password": "pässword"})
    alice.post("/v3/logout")
    alice._session.headers["Authorization"] = f"Bearer {other['access_token']}"
    assert listed(alice) == []


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"lang": None}, "M_MISSING_PARAM"),
        ({"data": {}}, "M_MISSING_PARAM"),
        ({"kind": "pigeon"}, "M_INVALID_PARAM"),
        ({"data": {"url": "https://push.example.org/elsewhere"}}, "M_INVALID_PARAM"),
        ({"data": {"url": "ftp://push.example.org/_matrix/push/v1/notify"}}, "M_INVALID_PARAM"),
        ({"app_id": "x" * 65}, "M_INVALID_PARAM"),
        ({"pushkey": "x" * 513}, "M_BAD_JSON"),
    ],
)
def test_a_malformed_pusher_is_refused(alice, changes, errcode):
    with pytest.raises(Refused) as refused:
        alice.post("/v3/pushers/set", pusher(**changes))
    assert (refused.value.status, refused.value.errcode) == (400, errcode)
