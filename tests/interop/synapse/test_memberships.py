"""Users come and go between the servers: joins, invites, knocks, restricted rooms, kicks and bans."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.interop.synapse.conftest import share
from tests.servers.trellis import Refused
from tests.servers.watching import Watcher, state_content


def act(user, room_id, what, **body):
    """One of the membership endpoints of a room."""
    return user.post(f"/v3/rooms/{quote(room_id, safe='')}/{what}", body)


def with_rule(host, rule, version="11", **content):
    """A room with a join rule."""
    rules = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": rule, **content}}
    return host.create_room(name="Door", room_version=version, initial_state=[rules])


def invited(sides, **options):
    """A private room, and a guest who has its invite."""
    host, guest = sides.watchers()
    room_id = host.user.create_room(preset="private_chat", **options)
    act(host.user, room_id, "invite", user_id=guest.user.user_id)
    return host, guest, room_id, guest.membership(room_id, "invite")


def test_a_room_is_joined_by_its_alias(sides):
    host, guest = sides.watchers()
    name = f"hall{guest.user.user_id[5:].partition(':')[0]}"
    room_id = host.user.create_room(preset="public_chat", room_alias_name=name, name="Hall")
    guest.user.join(f"#{name}:{sides.home.name}")
    host.member(room_id, guest.user.user_id, "join")
    assert guest.state(room_id, "m.room.name", "", bool)["name"] == "Hall"


def test_a_room_is_joined_by_its_id(sides):
    room = share(sides)
    for one in room.both():
        members = one.user.get(f"/v3/rooms/{quote(room.room_id)}/joined_members")["joined"]
        assert set(members) == {room.host.user.user_id, room.guest.user.user_id}


def test_a_room_nobody_asked_one_into_stays_shut(sides):
    host, guest = sides.users()
    room_id = host.create_room(preset="private_chat")
    with pytest.raises(Refused) as caught:
        guest.join(room_id, via=sides.home.name)
    assert caught.value.status == 403
    assert state_content(host, room_id, "m.room.member", guest.user_id) is None


def test_an_invite_names_the_room_and_is_accepted(sides):
    host, guest, room_id, section = invited(sides, name="Salon")
    told = {one["type"]: one for one in section["invite_state"]["events"]}
    assert told["m.room.name"]["content"]["name"] == "Salon"
    assert told["m.room.member"]["sender"] == host.user.user_id
    guest.user.join(room_id)
    host.member(room_id, guest.user.user_id, "join")
    guest.membership(room_id, "join")


def test_an_invite_is_declined(sides):
    host, guest, room_id, _ = invited(sides)
    act(guest.user, room_id, "leave", reason="no time")
    assert host.member(room_id, guest.user.user_id, "leave")["reason"] == "no time"
    guest.membership(room_id, "leave")


def test_an_invite_is_taken_back(sides):
    host, guest, room_id, _ = invited(sides)
    act(host.user, room_id, "kick", user_id=guest.user.user_id)
    guest.membership(room_id, "leave")
    host.member(room_id, guest.user.user_id, "leave")


def test_a_direct_chat_is_marked_for_the_invited(sides):
    _, guest, _, section = invited(sides, is_direct=True)
    (own,) = [one for one in section["invite_state"]["events"] if one.get("state_key") == guest.user.user_id]
    assert own["content"]["membership"] == "invite"


def test_a_knock_is_answered_with_an_invite(sides):
    host, guest = sides.watchers()
    room_id = with_rule(host.user, "knock")
    guest.user.post(f"/v3/knock/{quote(room_id)}", {"reason": "let me in"}, via=sides.home.name)
    assert host.member(room_id, guest.user.user_id, "knock")["reason"] == "let me in"
    told = guest.membership(room_id, "knock")["knock_state"]["events"]
    assert "Door" in [one["content"].get("name") for one in told]
    act(host.user, room_id, "invite", user_id=guest.user.user_id)
    guest.membership(room_id, "invite")
    guest.user.join(room_id)
    host.member(room_id, guest.user.user_id, "join")


def test_a_knock_is_turned_away(sides):
    """The user learns of it only from a server of ours: a Synapse neither tells others nor listens."""
    host, guest = sides.watchers()
    room_id = with_rule(host.user, "knock")
    guest.user.post(f"/v3/knock/{quote(room_id)}", {}, via=sides.home.name)
    host.member(room_id, guest.user.user_id, "knock")
    act(host.user, room_id, "kick", user_id=guest.user.user_id)
    host.member(room_id, guest.user.user_id, "leave")


@pytest.mark.parametrize("version", ["11", "12"])
def test_a_knock_is_withdrawn(trellis, synapse, version):
    """By a user of ours: a Synapse tells nobody that its users withdraw theirs."""
    host, guest = Watcher(synapse.register()), Watcher(trellis.register())
    room_id = with_rule(host.user, "knock", version)
    guest.user.post(f"/v3/knock/{quote(room_id)}", {}, via=synapse.name)
    host.member(room_id, guest.user.user_id, "knock")
    act(guest.user, room_id, "leave")
    host.member(room_id, guest.user.user_id, "leave")


def test_members_of_a_space_join_its_restricted_rooms_and_strangers_do_not(sides):
    space = share(sides, creation_content={"type": "m.space"})
    allow = [{"type": "m.room_membership", "room_id": space.room_id}]
    room_id = with_rule(space.host.user, "restricted", allow=allow)
    stranger = sides.away.register()
    with pytest.raises(Refused) as caught:
        stranger.join(room_id, via=sides.home.name)
    assert caught.value.status == 403
    space.guest.user.join(room_id, via=sides.home.name)
    member = space.host.member(room_id, space.guest.user.user_id, "join")
    assert member["join_authorised_via_users_server"] == space.host.user.user_id
    space.guest.membership(room_id, "join")


def test_a_second_user_of_a_server_joins_a_restricted_room_that_is_there_already(sides):
    space = share(sides, creation_content={"type": "m.space"})
    allow = [{"type": "m.room_membership", "room_id": space.room_id}]
    room_id = with_rule(space.host.user, "restricted", allow=allow)
    space.guest.user.join(room_id, via=sides.home.name)
    second = sides.away.register()
    second.join(space.room_id, via=sides.home.name)
    second.join(room_id, via=sides.home.name)
    space.host.member(room_id, second.user_id, "join")


def test_one_leaves_and_comes_again(sides):
    room = share(sides)
    act(room.guest.user, room.room_id, "leave")
    room.host.member(room.room_id, room.guest.user.user_id, "leave")
    missed = room.host.user.send(room.room_id, "while you were out")
    room.guest.user.join(room.room_id, via=sides.home.name)
    room.host.member(room.room_id, room.guest.user.user_id, "join")
    event_id = room.host.user.send(room.room_id, "welcome")
    assert room.guest.event(room.room_id, event_id)["content"]["body"] == "welcome"
    assert room.host.event(room.room_id, missed)


def test_one_is_kicked_and_comes_again(sides):
    room = share(sides)
    act(room.host.user, room.room_id, "kick", user_id=room.guest.user.user_id, reason="calm down")
    room.guest.membership(room.room_id, "leave")
    room.host.member(room.room_id, room.guest.user.user_id, "leave")
    with pytest.raises(Refused):
        room.guest.user.send(room.room_id, "still here")
    room.guest.user.join(room.room_id, via=sides.home.name)
    room.host.member(room.room_id, room.guest.user.user_id, "join")


def test_the_banned_stay_out_until_they_are_pardoned(sides):
    room = share(sides)
    act(room.host.user, room.room_id, "ban", user_id=room.guest.user.user_id)
    room.guest.membership(room.room_id, "leave")
    with pytest.raises(Refused) as caught:
        room.guest.user.join(room.room_id, via=sides.home.name)
    assert caught.value.status == 403
    act(room.host.user, room.room_id, "unban", user_id=room.guest.user.user_id)
    room.guest.user.join(room.room_id, via=sides.home.name)
    room.host.member(room.room_id, room.guest.user.user_id, "join")


def test_a_guest_with_power_bans_a_guest_without(sides):
    room = share(sides, power_level_content_override={"users_default": 50})
    other = sides.home.register()
    other.join(room.room_id)
    room.guest.member(room.room_id, other.user_id, "join")
    levels = state_content(room.host.user, room.room_id, "m.room.power_levels")
    room.host.user.set_state(
        room.room_id, "m.room.power_levels", {**levels, "users": {**levels["users"], other.user_id: 0}}
    )
    room.guest.state(room.room_id, "m.room.power_levels", "", lambda content: content["users"].get(other.user_id) == 0)
    act(room.guest.user, room.room_id, "ban", user_id=other.user_id)
    room.host.member(room.room_id, other.user_id, "ban")
