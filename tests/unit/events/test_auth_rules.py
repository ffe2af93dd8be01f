"""The rules beside memberships and power levels."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.events.signatures import SigningKey, sign_json
from core.events.unpadded_base64 import encode
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room, since
from tests.unit.events.test_auth_member import member, refusal, rule

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")


def top(version: RoomVersion, number: int) -> str:
    """A top-level rule, numbered as in room version 1, wherever it stands in `version`."""
    shift = (0 if version.special_cases_aliases or number < 5 else -1) + (1 if version.room_id_is_create_hash else 0)
    return str(number + shift)


def create(version: RoomVersion, content: dict[str, Any], **fields: Any) -> str | None:
    room = Room(version)
    return refusal(room, room.event("m.room.create", content, state_key="", **fields))


@every_version
def test_a_create_event_has_no_previous_events(version: RoomVersion) -> None:
    assert create(version, {"creator": ALICE}) is None
    assert create(version, {"creator": ALICE}, prev=["$x"]) == "1.1"


@pytest.mark.parametrize("version", since(1, 11), ids=lambda version: f"v{version.id}")
def test_the_senders_server_founds_the_room_id_until_11(version: RoomVersion) -> None:
    assert create(version, {"creator": BOB}, sender=BOB) == "1.2"
    assert create(version, {"creator": BOB}, sender=BOB, room_id="!room:b.example") is None


def test_a_create_event_of_version_12_carries_no_room_id() -> None:
    (version,) = since(12)
    assert create(version, {}, room_id="!create") == "1.2"
    assert create(version, {}, sender=BOB) is None


@every_version
@pytest.mark.parametrize(("named", "known"), [("1", True), ("12", True), ("13", False), (1, False), (None, False)])
def test_the_room_version_named_must_be_known(version: RoomVersion, named: Any, known: bool) -> None:
    assert create(version, {"creator": ALICE, "room_version": named}) == (None if known else "1.3")


@every_version
def test_the_creator_is_named_until_version_10(version: RoomVersion) -> None:
    assert create(version, {}) == (None if version.implicit_creator else "1.4")


@pytest.mark.parametrize("junk", ["@a:b", {"@a:b": 1}, None, [1], ["nobody"], ["@a:b", None]])
def test_additional_creators_are_user_ids(junk: Any) -> None:
    assert create(ROOM_VERSIONS["12"], {"additional_creators": junk}) == "1.4"
    assert create(ROOM_VERSIONS["12"], {"additional_creators": [BOB, CAROL]}) is None
    assert create(ROOM_VERSIONS["11"], {"additional_creators": junk}) is None


@every_version
def test_a_room_without_create_event_allows_nothing(version: RoomVersion) -> None:
    room = Room(version)
    event = room.event("m.room.message", {})
    del room.events[("m.room.create", "")]
    assert refusal(room, event) == ("2" if version.room_id_is_create_hash else "2.4")


def test_the_room_id_of_version_12_names_the_create_event() -> None:
    room = Room(ROOM_VERSIONS["12"])
    assert refusal(room, room.event("m.room.message", {}, room_id="!else")) == "2"
    assert refusal(room, room.event("m.room.message", {})) is None


@every_version
@pytest.mark.parametrize(("federate", "closed"), [(False, True), (True, False), (None, False), ("false", False)])
def test_a_closed_room_is_for_its_creators_server(version: RoomVersion, federate: Any, closed: bool) -> None:
    room = Room(version, **{"m.federate": federate})
    room.put_member(BOB, "join")
    assert refusal(room, room.event("m.room.message", {}, sender=BOB)) == (top(version, 3) if closed else None)
    assert refusal(room, room.event("m.room.message", {})) is None


@every_version
def test_aliases_are_a_case_of_their_own_until_version_5(version: RoomVersion) -> None:
    room = Room(version)
    own = room.event("m.room.aliases", {}, sender=BOB, state_key="b.example")
    assert refusal(room, own) == (None if version.special_cases_aliases else top(version, 6))
    if version.special_cases_aliases:
        assert refusal(room, room.event("m.room.aliases", {}, sender=BOB, state_key="a.example")) == "4.2"
        assert refusal(room, room.event("m.room.aliases", {}, sender=BOB)) == "4.1"


@every_version
@pytest.mark.parametrize("membership", [None, "leave", "invite", "ban", "knock", 5])
def test_only_the_joined_send(version: RoomVersion, membership: Any) -> None:
    room = Room(version)
    if membership is not None:
        room.put("m.room.member", {"membership": membership}, BOB, sender=BOB)
    assert refusal(room, room.event("m.room.message", {}, sender=BOB)) == top(version, 6)
    room.put_member(BOB, "join")
    assert refusal(room, room.event("m.room.message", {}, sender=BOB)) is None


@every_version
@pytest.mark.parametrize(
    ("levels", "event_type", "state_key", "allowed"),
    [
        ({"events": {"x": 50}}, "x", None, True),
        ({"events": {"x": 51}}, "x", None, False),
        ({"events": {"x": 51}, "events_default": 0}, "y", None, True),
        ({"events_default": 51}, "x", None, False),
        ({"events_default": 51}, "x", "", True),
        ({}, "x", "", True),
        ({"state_default": 51}, "x", "", False),
        ({"state_default": 51}, "x", None, True),
        ({"state_default": 51, "events": {"x": 50}}, "x", "", True),
        ({"users": {}}, "x", None, True),
        ({"users": {}}, "x", "", False),
        ({"users": {}, "users_default": 50}, "x", "", True),
    ],
)
def test_sending_takes_the_level_of_the_type(
    version: RoomVersion, levels: dict[str, Any], event_type: str, state_key: str | None, allowed: bool
) -> None:
    room = Room(version)
    room.put_member(BOB, "join")
    room.put_levels(**{"users": {BOB: 50}, **levels})
    fields = {} if state_key is None else {"state_key": state_key}
    event = room.event(event_type, {}, sender=BOB, **fields)
    assert refusal(room, event) == (None if allowed else top(version, 8))


@every_version
def test_without_power_levels_the_creator_alone_sends_state(version: RoomVersion) -> None:
    room = Room(version)
    room.put_member(BOB, "join")
    assert refusal(room, room.event("m.room.name", {}, state_key="")) is None
    assert refusal(room, room.event("m.room.name", {}, state_key="", sender=BOB)) == top(version, 8)


@every_version
@pytest.mark.parametrize(
    ("state_key", "allowed"), [(BOB, True), (ALICE, False), ("@", False), ("x@", True), ("", True)]
)
def test_state_filed_under_a_user_is_that_users(version: RoomVersion, state_key: str, allowed: bool) -> None:
    room = Room(version)
    room.put_member(BOB, "join")
    room.put_levels(users={BOB: 50})
    event = room.event("x", {}, sender=BOB, state_key=state_key)
    assert refusal(room, event) == (None if allowed else top(version, 9))


@every_version
@pytest.mark.parametrize(("level", "allowed"), [(50, True), (51, False)])
def test_a_third_party_invite_takes_the_invite_level_only(version: RoomVersion, level: int, allowed: bool) -> None:
    room = Room(version)
    room.put_member(BOB, "join")
    room.put_levels(users={BOB: 50}, invite=level, state_default=100)
    event = room.event("m.room.third_party_invite", {}, sender=BOB, state_key="token")
    assert refusal(room, event) == (None if allowed else f"{top(version, 7)}.1")


@every_version
@pytest.mark.parametrize(
    ("redact_level", "redacts", "allowed"),
    [(50, "$x:c.example", True), (51, "$x:b.example", True), (51, "$x:c.example", False), (51, None, False)],
)
def test_redactions_are_judged_in_versions_1_and_2(
    version: RoomVersion, redact_level: int, redacts: str | None, allowed: bool
) -> None:
    room = Room(version)
    room.put_member(BOB, "join")
    room.put_levels(users={BOB: 50}, redact=redact_level)
    event = room.event("m.room.redaction", {}, sender=BOB, event_id="$r:b.example", redacts=redacts)
    assert refusal(room, event) == ("11.3" if version.checks_redaction_sender and not allowed else None)


KEY, OTHER = SigningKey("ed25519:0", b"k" * 32), SigningKey("ed25519:0", b"o" * 32)


def offer(room: Room, **content: Any) -> None:
    room.put("m.room.third_party_invite", content, "token", sender=BOB)


def invited(room: Room, signed: Any = None, **fields: Any) -> str | None:
    if signed is None:
        signed = sign_json({"mxid": CAROL, "token": "token"}, "id.example", KEY)
    content = {"third_party_invite": {"display_name": "C", **({} if signed == "absent" else {"signed": signed})}}
    return refusal(room, member(room, CAROL, "invite", fields.pop("sender", BOB), content=content))


@every_version
def test_a_signed_third_party_invite_needs_no_joined_sender(version: RoomVersion) -> None:
    room, public = Room(version), encode(bytes(KEY.verify_key))
    offer(room, public_key=public)
    assert invited(room) is None
    offer(room, public_keys=[{"public_key": "junk"}, 5, {"public_key": public}])
    assert invited(room) is None
    room.put_member(CAROL, "ban")
    assert invited(room) == rule(version, "3.1.1")


@every_version
def test_each_step_of_a_third_party_invite_is_checked(version: RoomVersion) -> None:
    room = Room(version)
    assert invited(room) == rule(version, "3.1.5")
    offer(room, public_key=encode(bytes(OTHER.verify_key)), public_keys=[])
    assert invited(room, "absent") == rule(version, "3.1.2")
    assert invited(room, {"token": "token"}) == rule(version, "3.1.3")
    assert invited(room, {"mxid": CAROL}) == rule(version, "3.1.3")
    assert invited(room, {"mxid": ALICE, "token": "token"}) == rule(version, "3.1.4")
    assert invited(room, {"mxid": CAROL, "token": "else"}) == rule(version, "3.1.5")
    assert invited(room, sender=ALICE) == rule(version, "3.1.6")
    assert invited(room) == rule(version, "3.1.8")
    assert invited(room, {"mxid": CAROL, "token": "token"}) == rule(version, "3.1.8")


def test_a_changed_third_party_invite_is_not_vouched_for() -> None:
    room = Room(ROOM_VERSIONS["11"])
    offer(room, public_key=encode(bytes(KEY.verify_key)))
    signed = sign_json({"mxid": CAROL, "token": "token"}, "id.example", KEY)
    assert invited(room, {**signed, "more": 1}) == "4.4.1.8"
    assert invited(room, {**signed, "more": float("nan")}) == "4.4.1.8"
    assert invited(room, {**signed, "unsigned": 1}) is None


@pytest.mark.parametrize("junk", [None, 5, [], "x", {"id.example": 5}, {"id.example": {"ed25519:0": 5}}])
def test_junk_signatures_of_a_third_party_invite_vouch_for_nothing(junk: Any) -> None:
    room = Room(ROOM_VERSIONS["11"])
    offer(room, public_key=encode(bytes(KEY.verify_key)))
    assert invited(room, {"mxid": CAROL, "token": "token", "signatures": junk}) == "4.4.1.8"


def test_an_invite_cannot_cost_thousands_of_signature_checks() -> None:
    room = Room(ROOM_VERSIONS["11"])
    keys = [{"public_key": encode(bytes(SigningKey("ed25519:0", f"{n:032}".encode()).verify_key))} for n in range(250)]
    offer(room, public_keys=[*keys, {"public_key": encode(bytes(KEY.verify_key))}])
    assert invited(room) == "4.4.1.8"
    offer(room, public_keys=[*keys[:199], {"public_key": encode(bytes(KEY.verify_key))}])
    assert invited(room) is None


def test_a_refusal_is_a_403_with_a_sentence() -> None:
    room = Room(ROOM_VERSIONS["11"])
    with pytest.raises(AuthRuleViolation, match="is not joined to the room") as refused:
        authorize(room.event("m.room.message", {}, sender=BOB), room.state)
    assert (refused.value.status, refused.value.errcode, refused.value.rule) == (403, "M_FORBIDDEN", "5")
