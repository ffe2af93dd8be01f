"""Upgrades over HTTP: what the new room has, and what becomes of the old one."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.servers.trellis import Refused, User


def upgrade(user, room, version="12", **more):
    return user.post(f"/v3/rooms/{room}/upgrade", {"new_version": version, **more})["replacement_room"]


def state(user, room, kind, key=""):
    return user.get(f"/v3/rooms/{room}/state/{kind}/{quote(key, safe='')}")


@pytest.mark.parametrize(("old", "new"), [("9", "10"), ("10", "11"), ("11", "12"), ("12", "12"), ("12", "11")])
def test_the_rooms_point_at_each_other(alice, old, new):
    room = alice.create_room(room_version=old)
    replacement = upgrade(alice, room, new)
    assert state(alice, room, "m.room.tombstone")["replacement_room"] == replacement
    tombstone = alice.get(f"/v3/rooms/{room}/messages", dir="b", filter='{"types":["m.room.tombstone"]}')["chunk"][0]
    create = state(alice, replacement, "m.room.create")
    expected = {"room_id": room} if new == "12" else {"room_id": room, "event_id": tombstone["event_id"]}
    assert (create["room_version"], create["predecessor"]) == (new, expected)
    assert alice.send(replacement, "here we are")


def test_what_describes_and_protects_the_room_is_copied(alice, bob):
    room = alice.create_room(
        room_version="11",
        preset="public_chat",
        name="Name",
        topic="Topic",
        creation_content={"type": "m.space"},
        initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
        power_level_content_override={"invite": 7},
    )
    alice.set_state(room, "m.room.server_acl", {"allow": ["*"], "deny": ["evil.example"]})
    alice.post(f"/v3/rooms/{room}/ban", {"user_id": bob.user_id, "reason": "spam"})
    new = upgrade(alice, room)
    for kind in ("name", "topic", "encryption", "server_acl", "join_rules", "history_visibility", "guest_access"):
        assert state(alice, new, f"m.room.{kind}") == state(alice, room, f"m.room.{kind}")
    assert state(alice, new, "m.room.create")["type"] == "m.space"
    assert state(alice, new, "m.room.power_levels")["invite"] == 7
    assert state(alice, new, "m.room.member", bob.user_id) == {"membership": "ban", "reason": "spam"}


def test_creators_of_version_12_are_not_listed_in_the_power_levels(alice, bob):
    room = alice.create_room(room_version="11")
    users = {alice.user_id: 100, bob.user_id: 100, "@other:example.org": 50}
    alice.set_state(room, "m.room.power_levels", {**state(alice, room, "m.room.power_levels"), "users": users})
    new = upgrade(alice, room, additional_creators=[bob.user_id])
    assert state(alice, new, "m.room.create")["additional_creators"] == [bob.user_id]
    assert state(alice, new, "m.room.power_levels")["users"] == {"@other:example.org": 50}
    back = upgrade(alice, new, "11")
    assert state(alice, back, "m.room.power_levels")["users"] == {alice.user_id: 100, "@other:example.org": 50}


def test_who_may_only_just_upgrade_keeps_their_power_level(alice, bob):
    room = alice.create_room(room_version="10", preset="public_chat")
    bob.join(room)
    levels = state(alice, room, "m.room.power_levels")
    levels["users"][bob.user_id] = 60
    levels["events"]["m.room.tombstone"] = 60
    alice.set_state(room, "m.room.power_levels", levels)
    new = upgrade(bob, room, "11")
    assert state(bob, new, "m.room.power_levels")["users"] == levels["users"]


def test_the_old_room_falls_silent_and_the_aliases_move(alice, bob):
    room = alice.create_room(room_version="11", preset="public_chat", room_alias_name="upgraded")
    bob.join(room)
    alias = state(alice, room, "m.room.canonical_alias")["alias"]
    new = upgrade(alice, room)
    assert alice.get(f"/v3/directory/room/{quote(alias, safe='')}")["room_id"] == new
    assert state(alice, new, "m.room.canonical_alias")["alias"] == alias
    assert "alias" not in state(alice, room, "m.room.canonical_alias")
    with pytest.raises(Refused) as refused:
        bob.send(room, "too late")
    assert refused.value.status == 403


def test_tags_follow_whoever_joins_the_new_room(alice, bob):
    room = alice.create_room(room_version="11", preset="public_chat")
    bob.join(room)
    tags = {"tags": {"m.favourite": {"order": 0.5}}}
    bob.put(f"/v3/user/{bob.user_id}/rooms/{room}/account_data/m.tag", tags)
    bob.put(f"/v3/user/{bob.user_id}/account_data/m.direct", {alice.user_id: [room]})
    new = upgrade(alice, room)
    bob.join(new)
    assert bob.get(f"/v3/user/{bob.user_id}/rooms/{new}/account_data/m.tag") == tags
    assert bob.get(f"/v3/user/{bob.user_id}/account_data/m.direct") == {alice.user_id: [room, new]}


def test_a_space_gets_the_new_room_in_place_of_the_old(alice):
    space = alice.create_room(creation_content={"type": "m.space"})
    room = alice.create_room(room_version="11")
    link = {"via": ["example.org"]}
    alice.set_state(space, "m.space.child", link, room)
    alice.set_state(room, "m.space.parent", link, space)
    new = upgrade(alice, room)
    assert state(alice, space, "m.space.child", new) == link
    assert state(alice, space, "m.space.child", room) == {}
    assert state(alice, new, "m.space.parent", space) == link


def test_who_may_not_is_refused_and_nothing_happens(alice, bob):
    room = alice.create_room(preset="public_chat", room_version="11")
    bob.join(room)
    for user, version, error in ((bob, "12", (403, "M_FORBIDDEN")), (alice, "x", (400, "M_UNSUPPORTED_ROOM_VERSION"))):
        with pytest.raises(Refused) as refused:
            upgrade(user, room, version)
        assert (refused.value.status, refused.value.errcode) == error
    with pytest.raises(Refused):
        state(alice, room, "m.room.tombstone")


def test_push_rules_of_the_old_room_hold_in_the_new_one(alice, bob):
    room = alice.create_room(room_version="11", preset="public_chat")
    bob.join(room)
    bob.put(f"/v3/pushrules/global/room/{quote(room, safe='')}", {"actions": []})
    new = upgrade(alice, room)
    bob.join(new)
    assert bob.get(f"/v3/pushrules/global/room/{quote(new, safe='')}")["actions"] == []


def test_levels_that_are_strings_become_numbers_where_the_new_version_wants_them(alice):
    levels = {"users": {alice.user_id: "100", "@other:example.org": "50"}, "events": {"m.room.name": "60"}, "ban": "70"}
    given = [{"type": "m.room.power_levels", "content": levels}]
    room = alice.create_room(room_version="9", initial_state=given)
    found = state(alice, upgrade(alice, room, "10"), "m.room.power_levels")
    assert (found["users"], found["ban"]) == ({alice.user_id: 100, "@other:example.org": 50}, 70)
    assert found["events"] == {"m.room.name": 60}


def test_join_rules_that_the_new_version_does_not_know_become_invite(alice):
    room = alice.create_room(room_version="11")
    allow = [{"type": "m.room_membership", "room_id": "!other:example.org"}]
    alice.set_state(room, "m.room.join_rules", {"join_rule": "knock_restricted", "allow": allow})
    new = upgrade(alice, room, "10")
    assert state(alice, new, "m.room.join_rules")["join_rule"] == "knock_restricted"
    assert state(alice, upgrade(alice, new, "9"), "m.room.join_rules") == {"join_rule": "invite"}


def test_the_listing_in_the_directory_moves(alice):
    room = alice.create_room(room_version="11", preset="public_chat", visibility="public")
    new = upgrade(alice, room)
    shown = {one: alice.get(f"/v3/rooms/{one}/initialSync")["visibility"] for one in (room, new)}
    assert shown == {room: "private", new: "public"}


@pytest.mark.parametrize("creators", [["not a user"], "@a:x", [5]])
def test_wrong_additional_creators_are_refused(alice, creators):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        upgrade(alice, room, additional_creators=creators)
    assert refused.value.status == 400


def test_settings_follow_into_a_replacement_that_was_made_by_hand(alice):
    room = alice.create_room()
    tags = {"tags": {"m.favourite": {}}}
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/m.tag", tags)
    new = alice.create_room(creation_content={"predecessor": {"room_id": room}})
    assert alice.get(f"/v3/user/{alice.user_id}/rooms/{new}/account_data/m.tag") == tags


def test_two_upgrades_at_the_same_time_make_one_room(alice):
    old = alice.create_room()
    path = f"/v3/rooms/{old}/upgrade"
    sessions = [User(alice.base, alice.user_id, alice.token, alice.device_id) for _ in range(4)]
    with ThreadPoolExecutor(4) as at_once:
        answers = at_once.map(lambda session: session.post(path, {"new_version": "12"})["replacement_room"], sessions)
        made = set(answers)
    assert made == {alice.get(f"/v3/rooms/{old}/state/m.room.tombstone")["replacement_room"]}
    assert alice.post(path, {"new_version": "12"})["replacement_room"] in made


def test_a_room_cannot_be_replaced_by_itself(alice):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.set_state(room, "m.room.tombstone", {"body": "moved", "replacement_room": room})
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")
