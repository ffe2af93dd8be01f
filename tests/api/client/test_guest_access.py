"""Guests: which rooms let them in, and what happens when a room closes itself to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.servers.trellis import Refused, Server, User

OPEN = {"guest_access": "can_join"}


@pytest.fixture(scope="module")
def hospitable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets guests in."""
    server = Server(tmp_path_factory.mktemp("hospitable"), allow_guest_access=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def guest(hospitable: Server) -> User:
    """Somebody without an account."""
    url = f"{hospitable.base}/_matrix/client/v3/register?kind=guest"
    made = requests.post(url, json={}, timeout=10).json()
    return User(hospitable.base, made["user_id"], made["access_token"], made["device_id"])


@pytest.fixture
def host(hospitable: Server) -> User:
    """Somebody with an account."""
    return hospitable.register()


def test_a_public_room_is_closed_to_guests_until_it_says_otherwise(host: User, guest: User) -> None:
    room = host.create_room(preset="public_chat")
    with pytest.raises(Refused, match="M_GUEST_ACCESS_FORBIDDEN"):
        guest.join(room)
    with pytest.raises(Refused, match="M_GUEST_ACCESS_FORBIDDEN"):
        guest.set_state(room, "m.room.member", {"membership": "join"}, guest.user_id)
    host.set_state(room, "m.room.guest_access", OPEN)
    guest.join(room)
    assert guest.get("/v3/joined_rooms") == {"joined_rooms": [room]}


def test_a_room_elsewhere_is_closed_to_guests(guest: User) -> None:
    with pytest.raises(Refused, match="M_GUEST_ACCESS_FORBIDDEN"):
        guest.post("/v3/rooms/!nowhere:elsewhere.example/join")


def test_guests_leave_a_room_that_closes_itself_to_them(hospitable: Server, host: User, guest: User) -> None:
    member = hospitable.register()
    room = host.create_room(
        preset="public_chat", initial_state=[{"type": "m.room.guest_access", "state_key": "", "content": OPEN}]
    )
    guest.join(room)
    member.join(room)
    since = guest.sync()["next_batch"]
    host.set_state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    while room not in (news := guest.sync(since, timeout=10_000)).get("rooms", {}).get("leave", {}):
        since = news["next_batch"]
    joined = host.get(f"/v3/rooms/{room}/joined_members")["joined"]
    assert set(joined) == {host.user_id, member.user_id}


def test_guests_may_send_state_where_they_have_the_power(host: User, guest: User) -> None:
    room = host.create_room(preset="private_chat", power_level_content_override={"state_default": 0})
    host.post(f"/v3/rooms/{room}/invite", {"user_id": guest.user_id})
    guest.join(room)
    assert guest.set_state(room, "org.example.mood", {"mood": "good"})


def test_guests_have_no_account_to_change_or_to_end(guest: User) -> None:
    for path, body in (("/v3/account/password", {"new_password": "a new one"}), ("/v3/account/deactivate", {})):
        with pytest.raises(Refused) as refused:
            guest.post(path, body)
        assert (refused.value.status, refused.value.errcode) == (403, "M_GUEST_ACCESS_FORBIDDEN")
