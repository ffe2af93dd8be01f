"""createRoom over HTTP: every option, every preset, every version."""

from urllib.parse import quote

import pytest

from tests.servers.trellis import Refused

PRESETS = {
    "private_chat": ("invite", "shared", "can_join"),
    "trusted_private_chat": ("invite", "shared", "can_join"),
    "public_chat": ("public", "shared", "forbidden"),
}


def state(user, room, type_, key=""):
    return user.get(f"/v3/rooms/{room}/state/{type_}/{key}")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_what_the_specification_says(alice, preset):
    room = alice.create_room(preset=preset)
    join, history, guests = PRESETS[preset]
    assert state(alice, room, "m.room.join_rules") == {"join_rule": join}
    assert state(alice, room, "m.room.history_visibility") == {"history_visibility": history}
    assert state(alice, room, "m.room.guest_access") == {"guest_access": guests}


@pytest.mark.parametrize("version", [str(n) for n in range(1, 13)])
def test_people_talk_in_rooms_of_every_version(alice, bob, version):
    room = alice.create_room(preset="public_chat", room_version=version, name="Room", topic="All of it")
    bob.join(room)
    event_id = quote(bob.send(room, "hello"), safe="")  # ids of version 3 may hold a slash
    assert alice.get(f"/v3/rooms/{room}/event/{event_id}")["content"]["body"] == "hello"
    assert state(alice, room, "m.room.create")["room_version"] == version
    alice.put(f"/v3/rooms/{room}/redact/{event_id}/r1", {"reason": "off topic"})
    redacted = bob.get(f"/v3/rooms/{room}/event/{event_id}")
    assert redacted["content"] == {}
    assert redacted["unsigned"]["redacted_because"]["content"]["reason"] == "off topic"


def test_an_unknown_version_is_refused(alice):
    with pytest.raises(Refused) as refused:
        alice.create_room(room_version="99")
    assert refused.value.errcode == "M_UNSUPPORTED_ROOM_VERSION"


def test_name_and_topic_go_before_the_initial_state(alice):
    initial = [
        {"type": "m.room.name", "content": {"name": "Old"}},
        {"type": "x.y", "state_key": "k", "content": {"a": 1}},
    ]
    room = alice.create_room(initial_state=initial, name="New")
    assert state(alice, room, "m.room.name") == {"name": "New"}
    assert state(alice, room, "x.y", "k") == {"a": 1}


def test_an_alias_leads_to_the_room_and_can_be_had_once(alice, server):
    room = alice.create_room(room_alias_name="pub")
    alias = f"#pub:{server.name}"
    assert state(alice, room, "m.room.canonical_alias") == {"alias": alias}
    with pytest.raises(Refused) as refused:
        alice.create_room(room_alias_name="pub")
    assert refused.value.errcode == "M_ROOM_IN_USE"
    assert alice.get(f"/v3/directory/room/%23pub:{server.name}")["room_id"] == room


def test_invitees_of_a_trusted_chat_are_as_mighty_as_the_creator(alice, bob):
    new = alice.create_room(preset="trusted_private_chat", invite=[bob.user_id])
    assert state(alice, new, "m.room.create")["additional_creators"] == [bob.user_id]
    old = alice.create_room(preset="trusted_private_chat", invite=[bob.user_id], room_version="11")
    assert state(alice, old, "m.room.power_levels")["users"] == {alice.user_id: 100, bob.user_id: 100}


def test_an_invite_to_a_direct_chat_says_so(alice, bob):
    room = alice.create_room(is_direct=True, invite=[bob.user_id])
    assert state(alice, room, "m.room.member", bob.user_id)["is_direct"] is True


def test_power_levels_that_forbid_the_rest_are_refused(alice):
    with pytest.raises(Refused) as refused:
        alice.create_room(room_version="11", name="x", power_level_content_override={"users": {alice.user_id: 0}})
    assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_ROOM_STATE")


@pytest.mark.parametrize(
    "body",
    [{"preset": "secret"}, {"invite": ["nobody"]}, {"name": 5}, {"initial_state": [{"type": 1}]}, {"invite": {}}],
)
def test_options_of_the_wrong_kind_are_refused(alice, body):
    with pytest.raises(Refused) as refused:
        alice.create_room(**body)
    assert refused.value.status == 400
    assert refused.value.errcode in ("M_BAD_JSON", "M_INVALID_PARAM")


@pytest.mark.parametrize(
    "levels", [{"users": {"nobody": 1}}, {"ban": "50"}, {"events": {"m.room.name": 1.5}}, {"users": 1}]
)
def test_power_levels_of_the_wrong_kind_are_bad_json_in_every_version(alice, levels):
    room = alice.create_room(room_version="6")
    with pytest.raises(Refused) as refused:
        alice.put(f"/v3/rooms/{room}/state/m.room.power_levels", levels)
    assert (refused.value.status, refused.value.errcode) == (400, "M_BAD_JSON")
