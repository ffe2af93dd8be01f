"""Invites and knocks in rooms of other servers, of which there is nothing here but what came with them."""

from __future__ import annotations

import orjson
import pytest

from core.events.build import build_event
from core.events.signatures import SigningKey
from core.ids import RoomId, ServerName, UserId
from tests.unit.sync.world import VERSION, World

THERE, INVITER = ServerName("there.test"), UserId("@ina:there.test")
NAME = {"type": "m.room.name", "state_key": "", "sender": INVITER, "content": {"name": "Far away"}}


def tell(world: World, room_id: RoomId, sender: UserId, target: UserId, membership: str, stripped: list) -> None:
    """A member event of another server's room reaches us."""
    event = build_event(
        VERSION,
        room_id,
        "m.room.member",
        sender,
        {"membership": membership},
        prev_events=[],
        auth_events=[],
        depth=5,
        origin_server_ts=1_900_000_000_000,
        server=THERE,
        signing_key=SigningKey("ed25519:k", b"t" * 32),
        state_key=target,
    )
    room = world.graph.rooms.intern(room_id, VERSION)
    world.graph.members.set_out_of_band(room.room_nid, event, orjson.dumps(stripped))


@pytest.mark.parametrize("is_first_sync", [False, True])
def test_an_invite_shows_what_came_with_it_and_the_invite_itself(world, is_first_sync):
    anna, room_id = world.user(), RoomId(f"!far{is_first_sync}:there.test")
    token = None if is_first_sync else world.sync(anna)["next_batch"]
    tell(world, room_id, INVITER, anna.user_id, "invite", [NAME])
    shown = world.sync(anna, token)["rooms"]["invite"][room_id]["invite_state"]["events"]
    assert [event["type"] for event in shown] == ["m.room.name", "m.room.member"]
    assert shown[1]["content"] == {"membership": "invite"}
    assert shown[1]["sender"] == INVITER


def test_an_invite_that_was_taken_back_is_a_room_that_was_left(world):
    anna, room_id = world.user(), RoomId("!back:there.test")
    tell(world, room_id, INVITER, anna.user_id, "invite", [])
    token = world.sync(anna)["next_batch"]
    tell(world, room_id, INVITER, anna.user_id, "leave", [])
    answer = world.sync(anna, token)
    (event,) = answer["rooms"]["leave"][room_id]["timeline"]["events"]
    assert event["content"] == {"membership": "leave"}
    assert world.sync(anna, answer["next_batch"])["next_batch"] == answer["next_batch"]
    assert "invite" not in world.sync(anna)["rooms"]


def test_a_knock_is_shown_to_who_knocked(world):
    anna, room_id = world.user(), RoomId("!knock:there.test")
    token = world.sync(anna)["next_batch"]
    tell(world, room_id, anna.user_id, anna.user_id, "knock", [NAME])
    shown = world.sync(anna, token)["rooms"]["knock"][room_id]["knock_state"]["events"]
    assert [event["type"] for event in shown] == ["m.room.name", "m.room.member"]
