"""Memberships: every transition of the rules, at both sides of its condition, with the refusing rule's number."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize
from core.events.event import Event
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room, since


def refusal(room: Room, event: Event) -> str | None:
    """The number of the rule that refuses `event` in `room`, or None."""
    try:
        authorize(event, room.state)
    except AuthRuleViolation as violation:
        return violation.rule
    return None


def member(room: Room, target: str, membership: Any, sender: str | None = None, **fields: Any) -> Event:
    content = {"membership": membership, **fields.pop("content", {})}
    return room.event("m.room.member", content, state_key=target, sender=sender or target, **fields)


def rule(version: RoomVersion, part: str, *, shifted: bool = True) -> str:
    """A part of the member rule: `2.3` is the banned joiner of room version 1, wherever it stands in `version`."""
    first, dot, rest = part.partition(".")
    top = 5 if version.special_cases_aliases or version.room_id_is_create_hash else 4
    if shifted and version.restricted_joins:
        first = str(int(first) + 1)
    return f"{top}.{first}{dot}{rest}"


def room_with(version: RoomVersion, join_rule: str | None = None, **levels: Any) -> Room:
    room = Room(version)
    if join_rule is not None:
        room.put("m.room.join_rules", {"join_rule": join_rule})
    users = {BOB: 50} if version.privileged_creators else {ALICE: 100, BOB: 50}
    room.put_levels(**{"users": users, **levels})
    return room


every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
with_knocking = pytest.mark.parametrize("version", since(7), ids=lambda version: f"v{version.id}")
with_restricted = pytest.mark.parametrize("version", since(8), ids=lambda version: f"v{version.id}")


@every_version
def test_a_membership_needs_a_state_key_and_a_membership(version: RoomVersion) -> None:
    room = Room(version)
    without_key = room.event("m.room.member", {"membership": "join"})
    assert refusal(room, without_key) == rule(version, "1", shifted=False)
    without_membership = room.event("m.room.member", {}, state_key=ALICE)
    assert refusal(room, without_membership) == rule(version, "1", shifted=False)


@every_version
@pytest.mark.parametrize("junk", ["dance", None, 1, ["join"], {"join": 1}])
def test_an_unknown_membership_is_refused(version: RoomVersion, junk: Any) -> None:
    room = Room(version)
    expected = rule(version, "7" if version.knocking else "6")
    assert refusal(room, member(room, ALICE, junk)) == expected


@every_version
def test_the_creator_joins_right_after_the_create_event(version: RoomVersion) -> None:
    room = Room(version)
    del room.events[("m.room.member", ALICE)]
    assert refusal(room, member(room, ALICE, "join", prev=["$create"])) is None
    assert refusal(room, member(room, ALICE, "join", prev=["$other"])) is not None
    assert refusal(room, member(room, ALICE, "join", prev=["$create", "$other"])) is not None
    assert refusal(room, member(room, BOB, "join", prev=["$create"])) is not None


@pytest.mark.parametrize("version", since(1, 10), ids=lambda version: f"v{version.id}")
def test_until_version_10_the_creator_is_the_one_the_content_names(version: RoomVersion) -> None:
    room = Room(version, creator=BOB)
    assert refusal(room, member(room, BOB, "join", prev=["$create"])) is None


@pytest.mark.parametrize("version", since(11), ids=lambda version: f"v{version.id}")
def test_from_version_11_the_creator_is_the_sender(version: RoomVersion) -> None:
    room = Room(version, creator=BOB)
    assert refusal(room, member(room, BOB, "join", prev=["$create"])) is not None


@every_version
def test_nobody_joins_for_another(version: RoomVersion) -> None:
    room = room_with(version, "public")
    assert refusal(room, member(room, CAROL, "join", sender=ALICE)) == rule(version, "2.2")


@every_version
def test_the_banned_do_not_join(version: RoomVersion) -> None:
    room = room_with(version, "public")
    room.put_member(CAROL, "ban")
    assert refusal(room, member(room, CAROL, "join")) == rule(version, "2.3")


@every_version
@pytest.mark.parametrize(
    ("join_rule", "before", "allowed"),
    [
        (None, "invite", True),
        (None, "join", True),
        (None, "leave", False),
        (None, None, False),
        ("invite", "invite", True),
        ("invite", "join", True),
        ("invite", "leave", False),
        ("invite", "knock", False),
        ("public", None, True),
        ("public", "leave", True),
        ("public", "invite", True),
        ("public", "join", True),
        ("private", "invite", False),
        ("private", "join", False),
        ("whatever", "join", False),
    ],
)
def test_joins_follow_the_join_rule(
    version: RoomVersion, join_rule: str | None, before: str | None, allowed: bool
) -> None:
    room = room_with(version, join_rule)
    if before is not None:
        room.put_member(CAROL, before)
    otherwise = rule(version, "2.7" if version.restricted_joins else "2.6")
    assert refusal(room, member(room, CAROL, "join")) == (None if allowed else otherwise)


@every_version
@pytest.mark.parametrize("before", ["invite", "join"])
def test_the_join_rule_knock_admits_the_invited_from_version_7(version: RoomVersion, before: str) -> None:
    room = room_with(version, "knock")
    room.put_member(CAROL, before)
    assert (refusal(room, member(room, CAROL, "join")) is None) is version.knocking


@every_version
def test_a_join_rule_that_is_no_string_means_invite(version: RoomVersion) -> None:
    room = Room(version)
    room.put("m.room.join_rules", {"join_rule": ["public"]})
    assert refusal(room, member(room, CAROL, "join")) is not None
    room.put_member(CAROL, "invite")
    assert refusal(room, member(room, CAROL, "join")) is None


def restricted_join(room: Room, authorizer: Any = ALICE, signed_by: str = "a.example") -> Event:
    return member(
        room,
        CAROL,
        "join",
        content={"join_authorised_via_users_server": authorizer},
        signatures={signed_by: {"ed25519:1": "c2lnbmF0dXJl"}},
    )


@every_version
@pytest.mark.parametrize("join_rule", ["restricted", "knock_restricted"])
def test_restricted_joins_exist_from_version_8_and_with_knocking_from_10(version: RoomVersion, join_rule: str) -> None:
    room = room_with(version, join_rule)
    known = version.restricted_joins if join_rule == "restricted" else version.knock_restricted_joins
    assert (refusal(room, restricted_join(room)) is None) is known
    room.put_member(CAROL, "invite")
    assert (refusal(room, member(room, CAROL, "join")) is None) is known


@with_restricted
def test_a_restricted_join_needs_a_joined_user_who_may_invite(version: RoomVersion) -> None:
    room = room_with(version, "restricted", invite=50)
    assert refusal(room, restricted_join(room)) is None
    assert refusal(room, member(room, CAROL, "join")) == rule(version, "2.5.2")
    assert refusal(room, restricted_join(room, BOB, "b.example")) == rule(version, "2.5.2")
    room.put_member(BOB, "join")
    assert refusal(room, restricted_join(room, BOB, "b.example")) is None
    room.put_levels(users=dict(room.events[("m.room.power_levels", "")].content["users"]) | {BOB: 49}, invite=50)
    assert refusal(room, restricted_join(room, BOB, "b.example")) == rule(version, "2.5.2")


@with_restricted
@pytest.mark.parametrize("before", ["invite", "join"])
def test_the_invited_join_a_restricted_room_without_authorizing_user(version: RoomVersion, before: str) -> None:
    room = room_with(version, "restricted")
    room.put_member(CAROL, before)
    assert refusal(room, member(room, CAROL, "join")) is None


@with_restricted
@pytest.mark.parametrize(("authorizer", "signed_by"), [(ALICE, "b.example"), (["@alice:a.example"], "a.example")])
def test_the_authorizing_server_must_have_signed(version: RoomVersion, authorizer: Any, signed_by: str) -> None:
    room = room_with(version, "public")
    event = restricted_join(room, authorizer, signed_by)
    assert refusal(room, event) == rule(version, "2.1", shifted=False)


@pytest.mark.parametrize("version", since(1, 7), ids=lambda version: f"v{version.id}")
def test_before_version_8_an_authorizing_user_means_nothing(version: RoomVersion) -> None:
    room = room_with(version, "public")
    assert refusal(room, restricted_join(room, 5)) is None


@every_version
def test_inviting_takes_a_joined_sender(version: RoomVersion) -> None:
    room = room_with(version)
    assert refusal(room, member(room, CAROL, "invite", ALICE)) is None
    for before in ("leave", "invite", "ban"):
        room.put_member(BOB, before)
        assert refusal(room, member(room, CAROL, "invite", BOB)) == rule(version, "3.2")


@every_version
@pytest.mark.parametrize(("before", "allowed"), [("join", False), ("ban", False), ("leave", True), ("invite", True)])
def test_the_joined_and_the_banned_are_not_invited(version: RoomVersion, before: str, allowed: bool) -> None:
    room = room_with(version)
    room.put_member(CAROL, before)
    assert refusal(room, member(room, CAROL, "invite", ALICE)) == (None if allowed else rule(version, "3.3"))


@every_version
@pytest.mark.parametrize(("level", "allowed"), [(49, True), (50, True), (51, False)])
def test_inviting_takes_the_invite_level(version: RoomVersion, level: int, allowed: bool) -> None:
    room = room_with(version, invite=level)
    room.put_member(BOB, "join")
    assert refusal(room, member(room, CAROL, "invite", BOB)) == (None if allowed else rule(version, "3.5"))


@every_version
def test_by_default_everybody_may_invite(version: RoomVersion) -> None:
    room = room_with(version)
    room.put_member(CAROL, "join")
    assert refusal(room, member(room, BOB, "invite", CAROL)) is None


@every_version
@pytest.mark.parametrize(
    ("before", "allowed"), [("join", True), ("invite", True), ("leave", False), ("ban", False), (None, False)]
)
def test_one_leaves_what_one_is_in_or_invited_to(version: RoomVersion, before: str | None, allowed: bool) -> None:
    room = room_with(version)
    if before is not None:
        room.put_member(CAROL, before)
    assert refusal(room, member(room, CAROL, "leave")) == (None if allowed else rule(version, "4.1"))


@every_version
def test_a_knock_is_withdrawn_from_version_7(version: RoomVersion) -> None:
    room = room_with(version)
    room.put_member(CAROL, "knock")
    assert refusal(room, member(room, CAROL, "leave")) == (None if version.knocking else rule(version, "4.1"))


@every_version
def test_kicking_takes_a_joined_sender(version: RoomVersion) -> None:
    room = room_with(version)
    room.put_member(CAROL, "join")
    assert refusal(room, member(room, CAROL, "leave", BOB)) == rule(version, "4.2")
    room.put_member(BOB, "join")
    assert refusal(room, member(room, CAROL, "leave", BOB)) is None


@every_version
@pytest.mark.parametrize(("ban_level", "allowed"), [(50, True), (51, False)])
def test_lifting_a_ban_takes_the_ban_level(version: RoomVersion, ban_level: int, allowed: bool) -> None:
    room = room_with(version, ban=ban_level, kick=0)
    room.put_member(BOB, "join")
    room.put_member(CAROL, "ban")
    assert refusal(room, member(room, CAROL, "leave", BOB)) == (None if allowed else rule(version, "4.3"))
    room.put_member(CAROL, "join")
    assert refusal(room, member(room, CAROL, "leave", BOB)) is None


@every_version
@pytest.mark.parametrize(("kick_level", "allowed"), [(50, True), (51, False)])
def test_kicking_takes_the_kick_level(version: RoomVersion, kick_level: int, allowed: bool) -> None:
    room = room_with(version, kick=kick_level, ban=0)
    room.put_member(BOB, "join")
    room.put_member(CAROL, "join")
    assert refusal(room, member(room, CAROL, "leave", BOB)) == (None if allowed else rule(version, "4.5"))


@every_version
@pytest.mark.parametrize(("target_level", "allowed"), [(49, True), (50, False), (51, False)])
@pytest.mark.parametrize(("membership", "part"), [("leave", "4.5"), ("ban", "5.3")])
def test_only_lower_users_are_kicked_or_banned(
    version: RoomVersion, membership: str, part: str, target_level: int, allowed: bool
) -> None:
    room = room_with(version)
    room.put_levels(users={BOB: 50, CAROL: target_level})
    room.put_member(BOB, "join")
    room.put_member(CAROL, "join")
    assert refusal(room, member(room, CAROL, membership, BOB)) == (None if allowed else rule(version, part))


@every_version
@pytest.mark.parametrize(("ban_level", "allowed"), [(50, True), (51, False)])
def test_banning_takes_a_joined_sender_with_the_ban_level(version: RoomVersion, ban_level: int, allowed: bool) -> None:
    room = room_with(version, ban=ban_level, kick=0)
    assert refusal(room, member(room, CAROL, "ban", BOB)) == rule(version, "5.1")
    room.put_member(BOB, "join")
    assert refusal(room, member(room, CAROL, "ban", BOB)) == (None if allowed else rule(version, "5.3"))


@pytest.mark.parametrize("version", since(1, 6), ids=lambda version: f"v{version.id}")
def test_knocking_is_unknown_before_version_7(version: RoomVersion) -> None:
    room = room_with(version, "knock")
    assert refusal(room, member(room, CAROL, "knock")) == rule(version, "6")


@with_knocking
@pytest.mark.parametrize("join_rule", [None, "public", "invite", "restricted", "private"])
def test_only_rooms_that_let_knock_are_knocked_at(version: RoomVersion, join_rule: str | None) -> None:
    room = room_with(version, join_rule)
    assert refusal(room, member(room, CAROL, "knock")) == rule(version, "6.1")


@with_knocking
def test_knock_restricted_lets_knock_from_version_10(version: RoomVersion) -> None:
    room = room_with(version, "knock_restricted")
    expected = None if version.knock_restricted_joins else rule(version, "6.1")
    assert refusal(room, member(room, CAROL, "knock")) == expected


@with_knocking
def test_nobody_knocks_for_another(version: RoomVersion) -> None:
    room = room_with(version, "knock")
    assert refusal(room, member(room, CAROL, "knock", ALICE)) == rule(version, "6.2")


@with_knocking
@pytest.mark.parametrize(
    ("before", "allowed"),
    [(None, True), ("leave", True), ("knock", True), ("ban", False), ("invite", False), ("join", False)],
)
def test_one_knocks_from_outside(version: RoomVersion, before: str | None, allowed: bool) -> None:
    room = room_with(version, "knock")
    if before is not None:
        room.put_member(CAROL, before)
    assert refusal(room, member(room, CAROL, "knock")) == (None if allowed else rule(version, "6.4"))


def test_the_rules_of_memberships_are_numbered_as_in_the_lists() -> None:
    cases = {"1": "5.2.3", "5": "5.2.3", "6": "4.2.3", "7": "4.2.3", "8": "4.3.3", "11": "4.3.3", "12": "5.3.3"}
    for version_id, number in cases.items():
        room = room_with(ROOM_VERSIONS[version_id], "public")
        room.put_member(CAROL, "ban")
        assert refusal(room, member(room, CAROL, "join")) == number
