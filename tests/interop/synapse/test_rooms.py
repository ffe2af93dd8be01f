"""Rooms of every version, their upgrade, and access lists."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.interop.synapse.conftest import share
from tests.interop.synapse.test_conversation import event, redact
from tests.servers.watching import state_content


@pytest.mark.parametrize("version", ["6", "7", "8", "9", "10", "11", "12"])
def test_a_room_of_each_version_works_as_a_whole(sides, version):
    room = share(sides, room_version=version)
    said = room.guest.user.send(room.room_id, "hello")
    room.host.event(room.room_id, said)
    room.host.user.set_state(room.room_id, "m.room.topic", {"topic": f"v{version}"})
    room.guest.state(room.room_id, "m.room.topic", "", lambda content: content["topic"] == f"v{version}")
    redaction = redact(room.host.user, room.room_id, said)
    for one in room.both():
        one.event(room.room_id, redaction)
        assert event(one.user, room.room_id, said)["content"] == {}
        assert state_content(one.user, room.room_id, "m.room.create").get("room_version") == version
    room.guest.user.post(f"/v3/rooms/{quote(room.room_id)}/leave")
    room.host.member(room.room_id, room.guest.user.user_id, "leave")


@pytest.mark.parametrize(("old", "new"), [("9", "11"), ("11", "12")])
def test_an_upgrade_is_followed(sides, old, new):
    room = share(sides, room_version=old, name="Old")
    body = {"new_version": new}
    new_room = room.host.user.post(f"/v3/rooms/{quote(room.room_id)}/upgrade", body)["replacement_room"]
    for one in room.both():
        one.state(room.room_id, "m.room.tombstone", "", lambda content: content["replacement_room"] == new_room)
    room.guest.user.join(new_room, via=room.host.user.user_id.partition(":")[2])
    for one in room.both():
        one.state(new_room, "m.room.name", "", lambda content: content["name"] == "Old")
        create = state_content(one.user, new_room, "m.room.create")
        assert create["predecessor"]["room_id"] == room.room_id


def test_an_access_list_keeps_a_server_out_and_lets_it_in_again(sides):
    room = share(sides)
    host = sides.away.name.partition(":")[0]
    room.host.user.set_state(
        room.room_id, "m.room.server_acl", {"allow": ["*"], "deny": [host], "allow_ip_literals": True}
    )
    room.guest.state(room.room_id, "m.room.server_acl", "", lambda content: content.get("deny"))
    refused = room.guest.user.send(room.room_id, "through the wall")
    lifted = room.host.user.set_state(room.room_id, "m.room.server_acl", {"allow": ["*"], "allow_ip_literals": True})
    room.guest.state(room.room_id, "m.room.server_acl", "", lambda content: not content.get("deny"))
    after = room.guest.user.send(room.room_id, "through the door")
    assert room.host.event(room.room_id, after)["content"]["body"] == "through the door"
    seen = [one["event_id"] for one in room.host.timelines[room.room_id]]
    assert refused not in seen[: seen.index(lifted)]
