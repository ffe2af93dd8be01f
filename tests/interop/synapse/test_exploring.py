"""Looking around on the other side: spaces, the directory, what was said before one came."""

from __future__ import annotations

from urllib.parse import quote

from tests.interop.synapse.conftest import share
from tests.servers.watching import bodies, history


def test_a_message_of_the_past_is_read_by_who_came_later(sides):
    host, guest = sides.watchers()
    room_id = host.user.create_room(preset="public_chat")
    for number in range(3):
        host.user.send(room_id, f"old{number}")
    guest.user.join(room_id, via=sides.home.name)
    assert bodies(history(guest.user, room_id)) == ["old2", "old1", "old0"]


def test_a_space_names_its_rooms_to_the_other_side(sides):
    space = share(sides, creation_content={"type": "m.space"}, name="Space")
    child = space.host.user.create_room(preset="public_chat", name="Child")
    space.host.user.set_state(space.room_id, "m.space.child", {"via": [sides.home.name]}, child)
    space.guest.state(space.room_id, "m.space.child", child, bool)
    for one in space.both():
        rooms = one.user.get(f"/v1/rooms/{quote(space.room_id)}/hierarchy")["rooms"]
        assert [room["room_id"] for room in rooms] == [space.room_id, child]
        assert rooms[1]["name"] == "Child"


def test_the_directory_is_read_from_the_other_side(sides):
    host, guest = sides.users()
    room_id = host.create_room(preset="public_chat", visibility="public", name="Market")
    for user in (host, guest):
        found = user.post("/v3/publicRooms", {"limit": 500}, server=sides.home.name)["chunk"]
        assert room_id in [one["room_id"] for one in found]
