"""Room directories, spaces and summaries of other servers."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.servers.trellis import Refused


@pytest.fixture
def alice(alpha):
    """A user of the server that shows its directory."""
    return alpha.register()


@pytest.fixture
def bob(beta):
    """A user of the other."""
    return beta.register()


def link(user, space, child, server):
    """Put a room into a space."""
    user.set_state(space, "m.space.child", {"via": [server.name]}, child)


def hierarchy(user, room_id):
    """The rooms of a space."""
    return user.get(f"/v1/rooms/{quote(room_id)}/hierarchy")["rooms"]


def test_another_servers_directory_is_searched_and_paged(alpha, alice, bob):
    word = uuid4().hex
    rooms = {alice.create_room(visibility="public", preset="public_chat", name=f"{word} {n}") for n in range(3)}
    asked = {"limit": 2, "filter": {"generic_search_term": word}}
    first = bob.post(f"/v3/publicRooms?server={alpha.name}", asked)
    rest = bob.post(f"/v3/publicRooms?server={alpha.name}", {**asked, "since": first["next_batch"]})
    assert {room["room_id"] for room in [*first["chunk"], *rest["chunk"]]} == rooms
    assert len(bob.get("/v3/publicRooms", server=alpha.name, limit=1)["chunk"]) == 1


def test_a_directory_that_is_not_shown_is_refused(alpha, beta, alice):
    with pytest.raises(Refused) as caught:
        alice.get("/v3/publicRooms", server=beta.name)
    assert caught.value.status == 403


def test_a_space_is_walked_on_another_server(alpha, alice, bob):
    space = alice.create_room(preset="public_chat", creation_content={"type": "m.space"}, name="All")
    seen, hidden = alice.create_room(preset="public_chat", name="Seen"), alice.create_room(preset="private_chat")
    ours = bob.create_room(preset="public_chat", creation_content={"type": "m.space"})
    for child in (seen, hidden):
        link(alice, space, child, alpha)
    link(bob, ours, space, alpha)
    assert [room["room_id"] for room in hierarchy(bob, ours)] == [ours, space, seen]


def test_a_server_sees_of_a_space_what_it_may(alpha, alice, remote):
    space = alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    hidden = alice.create_room(preset="private_chat")
    link(alice, space, hidden, alpha)
    link(alice, space, "!elsewhere:example.org", alpha)

    def ask(room):
        return remote.call(alpha.base, alpha.name, "GET", f"/_matrix/federation/v1/hierarchy/{quote(room, safe='')}")

    found = ask(space).json()
    assert (found["children"], found["inaccessible_children"]) == ([], [hidden])
    assert {one["state_key"] for one in found["room"]["children_state"]} == {hidden, "!elsewhere:example.org"}
    assert (ask(hidden).status_code, ask(hidden).json()["errcode"]) == (404, "M_NOT_FOUND")


def test_a_room_elsewhere_is_summed_up(alpha, alice, bob):
    room = alice.create_room(preset="public_chat", name="Far", topic="away")
    summary = bob.get(f"/v1/room_summary/{quote(room)}", via=alpha.name)
    assert (summary["name"], summary["topic"], summary["membership"]) == ("Far", "away", "leave")
    inner = alice.create_room(preset="private_chat")
    with pytest.raises(Refused) as caught:
        bob.get(f"/v1/room_summary/{quote(inner)}", via=alpha.name)
    assert caught.value.status == 404


def test_tags_follow_into_the_room_that_replaced_one_elsewhere(alpha, alice, bob):
    old = alice.create_room(preset="public_chat")
    bob.post(f"/v3/join/{quote(old)}?via={alpha.name}", {})
    bob.put(f"/v3/user/{quote(bob.user_id)}/rooms/{quote(old)}/tags/u.work", {"order": 0.5})
    new = alice.post(f"/v3/rooms/{quote(old)}/upgrade", {"new_version": "12"})["replacement_room"]
    bob.post(f"/v3/join/{quote(new)}?via={alpha.name}", {})
    assert "u.work" in bob.get(f"/v3/user/{quote(bob.user_id)}/rooms/{quote(new)}/tags")["tags"]
