"""A room's summary is for those who may come in or look in; the others do not learn that it exists."""

from urllib.parse import quote

import pytest
import requests

from tests.servers.trellis import Refused

PATHS = (
    "/v1/room_summary/{}",
    "/unstable/im.nheko.summary/summary/{}",
    "/unstable/im.nheko.summary/rooms/{}/summary",
)


def summary(user, room, path=PATHS[0]):
    return user.get(path.format(quote(room, safe="")))


def test_a_summary_says_what_a_room_is(alice, bob):
    room = alice.create_room(name="Cheese", topic="tasty", preset="public_chat", creation_content={"type": "m.space"})
    alice.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    alice.set_state(room, "m.room.avatar", {"url": "mxc://x/y"})
    found = summary(bob, room)
    assert found.pop("room_version").isdigit()
    assert found == {
        "room_id": room,
        "name": "Cheese",
        "topic": "tasty",
        "avatar_url": "mxc://x/y",
        "num_joined_members": 1,
        "world_readable": False,
        "guest_can_join": False,
        "join_rule": "public",
        "room_type": "m.space",
        "encryption": "m.megolm.v1.aes-sha2",
        "membership": "leave",
    }


@pytest.mark.parametrize("path", PATHS)
def test_every_path_finds_a_room_by_its_alias(alice, path):
    room = alice.create_room(preset="public_chat", room_alias_name=f"s{path.count('/')}{path.count('rooms')}")
    alias = alice.get(f"/v3/rooms/{room}/aliases")["aliases"][0]
    found = summary(alice, alias, path)
    assert (found["room_id"], found["membership"]) == (room, "join")
    assert ("im.nheko.summary.room_version" in found) == ("unstable" in path)


def test_a_private_room_is_shown_to_members_and_the_invited_only(alice, bob):
    room = alice.create_room(name="secret")
    with pytest.raises(Refused) as refused:
        summary(bob, room)
    assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")
    alice.post(f"/v3/rooms/{room}/invite", {"user_id": bob.user_id})
    assert summary(bob, room)["membership"] == "invite"
    assert summary(alice, room)["membership"] == "join"


def test_a_restricted_room_is_shown_to_members_of_the_rooms_it_names(alice, bob):
    space = alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    room = alice.create_room(initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rule}])
    with pytest.raises(Refused):
        summary(bob, room)
    bob.join(space)
    found = summary(bob, room)
    assert (found["join_rule"], found["allowed_room_ids"], found["membership"]) == ("restricted", [space], "leave")


def test_those_who_are_not_signed_in_see_open_rooms(server, alice):
    open_room, closed_room = alice.create_room(preset="public_chat"), alice.create_room()
    url = f"{server.base}/_matrix/client/v1/room_summary/"
    found = requests.get(url + open_room, timeout=10).json()
    assert found["room_id"] == open_room
    assert "membership" not in found
    assert requests.get(url + closed_room, timeout=10).status_code == 404


def test_the_plain_text_of_a_topic_goes_before_its_other_forms(alice):
    room = alice.create_room()
    forms = [{"mimetype": "text/html", "body": "<b>t</b>"}, {"mimetype": "text/plain", "body": "t"}]
    alice.set_state(room, "m.room.topic", {"topic": "older", "m.topic": {"m.text": forms}})
    assert summary(alice, room)["topic"] == "t"


def test_what_is_no_room_is_refused(alice):
    for room, status in (("nonsense", 400), ("#nothing:elsewhere.example", 404), ("!nothing:x", 404)):
        with pytest.raises(Refused) as refused:
            summary(alice, room)
        assert refused.value.status == status
