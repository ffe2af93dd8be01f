"""A server that its administrator has closed."""

from __future__ import annotations

import pytest
import requests

from tests.servers.trellis import Refused, Server


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A closed server, of which somebody has an account."""
    server = Server(
        tmp_path_factory.mktemp("closed"),
        hs_disabled=True,
        hs_disabled_message="Back on Monday.",
        admin_contact="mailto:admin@example.org",
        enable_registration=True,
        enable_registration_without_verification=True,
    )
    yield server.start()
    server.stop()


def test_users_read_and_neither_act_nor_sync_and_are_told_whom_to_ask(closed):
    alice = closed.register()
    assert alice.get("/v3/joined_rooms") == {"joined_rooms": []}
    for call in (alice.create_room, alice.sync):
        with pytest.raises(Refused) as caught:
            call()
        assert (caught.value.status, caught.value.errcode) == (403, "M_RESOURCE_LIMIT_EXCEEDED")
        assert caught.value.body["admin_contact"] == "mailto:admin@example.org"
        assert caught.value.body["error"] == "Back on Monday."
    alice.post("/v3/logout")


def test_nobody_signs_in_or_up(closed):
    alice = closed.register()
    login = {"type": "m.login.password", "user": alice.user_id, "password": "pässword"}
    for path, body in (("login", login), ("register", {"username": "bob", "password": "pässword"})):
        answer = requests.post(f"{closed.base}/_matrix/client/v3/{path}", json=body, timeout=10)
        assert (answer.status_code, answer.json()["errcode"]) == (403, "M_RESOURCE_LIMIT_EXCEEDED")


def test_administrators_come_in(closed):
    admin = closed.login(closed.register(admin=True))
    admin.send(admin.create_room())
