"""An event's own list of auth events: which are selected, and what is wrong with a list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.errors import AuthRuleViolation
from core.events.auth_rules import auth_event_keys, check_auth_events
from core.events.event import Event
from core.events.room_versions import RoomVersion
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room, since

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
CREATE, LEVELS, RULES = ("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", "")


def of(user: str) -> tuple[str, str]:
    return ("m.room.member", user)


def first(version: RoomVersion) -> list[tuple[str, str]]:
    return [LEVELS] if version.room_id_is_create_hash else [CREATE, LEVELS]


@every_version
def test_an_ordinary_event_rests_on_create_levels_and_sender(version: RoomVersion) -> None:
    assert auth_event_keys(version, "m.room.message", ALICE, None, {}) == [*first(version), of(ALICE)]
    assert auth_event_keys(version, "m.room.name", ALICE, "", {"membership": "join"}) == [*first(version), of(ALICE)]
    assert auth_event_keys(version, "m.room.create", ALICE, "", {}) == []


@every_version
@pytest.mark.parametrize(
    ("membership", "rules"), [("join", True), ("invite", True), ("knock", True), ("leave", False), ("ban", False)]
)
def test_a_membership_rests_on_the_target_and_on_join_rules(version: RoomVersion, membership: str, rules: bool) -> None:
    keys = auth_event_keys(version, "m.room.member", ALICE, BOB, {"membership": membership})
    assert keys == [*first(version), of(ALICE), of(BOB), *([RULES] if rules else [])]
    own = auth_event_keys(version, "m.room.member", ALICE, ALICE, {"membership": membership})
    assert own == [*first(version), of(ALICE), *([RULES] if rules else [])]


@every_version
def test_a_third_party_invite_rests_on_its_token(version: RoomVersion) -> None:
    invite = {"third_party_invite": {"signed": {"token": "t"}}}
    keys = auth_event_keys(version, "m.room.member", ALICE, BOB, {"membership": "invite", **invite})
    assert keys == [*first(version), of(ALICE), of(BOB), RULES, ("m.room.third_party_invite", "t")]
    joining = auth_event_keys(version, "m.room.member", BOB, BOB, {"membership": "join", **invite})
    assert joining == [*first(version), of(BOB), RULES]
    for junk in (5, {}, {"signed": 5}, {"signed": {}}, {"signed": {"token": 5}}):
        content = {"membership": "invite", "third_party_invite": junk}
        assert len(auth_event_keys(version, "m.room.member", ALICE, BOB, content)) == len(keys) - 1


@every_version
def test_a_restricted_join_rests_on_the_authorizing_user_from_version_8(version: RoomVersion) -> None:
    content = {"membership": "join", "join_authorised_via_users_server": CAROL}
    keys = auth_event_keys(version, "m.room.member", BOB, BOB, content)
    assert keys == [*first(version), of(BOB), RULES, *([of(CAROL)] if version.restricted_joins else [])]
    again = auth_event_keys(version, "m.room.member", BOB, BOB, {**content, "join_authorised_via_users_server": BOB})
    assert again == [*first(version), of(BOB), RULES]
    knock = auth_event_keys(version, "m.room.member", BOB, BOB, {**content, "membership": "leave"})
    assert of(CAROL) not in knock


def verdict(event: Event, listed: Sequence[Event], rejected: Sequence[str] = ()) -> str | None:
    try:
        check_auth_events(event, listed, lambda event_id: event_id in rejected)
    except AuthRuleViolation as violation:
        return violation.rule
    return None


def listing(version: RoomVersion) -> tuple[Room, Event, list[Event], str]:
    """A room, a message of Alice's in it, the right list for it, and the number of the rule about lists."""
    room = Room(version)
    room.put_levels()
    message = room.event("m.room.message", {})
    listed = [room.events[key] for key in auth_event_keys(version, "m.room.message", ALICE, None, {})]
    return room, message, listed, "3" if version.room_id_is_create_hash else "2"


@every_version
def test_the_right_list_is_allowed_and_what_the_room_has_not_may_lack(version: RoomVersion) -> None:
    _, message, listed, _ = listing(version)
    assert verdict(message, listed) is None
    assert verdict(message, listed[:-1]) is None


@every_version
def test_no_key_is_listed_twice(version: RoomVersion) -> None:
    room, message, listed, top = listing(version)
    other = room.event("m.room.member", {"membership": "join"}, state_key=ALICE, event_id="$other")
    assert verdict(message, [*listed, other]) == f"{top}.1"
    assert verdict(message, [*listed, listed[0]]) == f"{top}.1"


@every_version
def test_only_selected_events_are_listed(version: RoomVersion) -> None:
    room, message, listed, top = listing(version)
    assert verdict(message, [*listed, room.put_member(BOB, "join")]) == f"{top}.2"
    assert verdict(message, [*listed, room.put("m.room.join_rules", {})]) == f"{top}.2"
    assert verdict(message, [*listed, room.event("m.room.message", {})]) == f"{top}.2"


@every_version
def test_rejected_events_are_not_listed(version: RoomVersion) -> None:
    _, message, listed, top = listing(version)
    assert verdict(message, listed, [listed[-1].event_id]) == f"{top}.3"
    assert verdict(message, listed, ["$unrelated"]) is None


@every_version
def test_the_create_event_is_listed_until_version_11_and_implied_after(version: RoomVersion) -> None:
    room, message, listed, top = listing(version)
    if version.room_id_is_create_hash:
        assert verdict(message, [room.create, *listed]) == "3.2"
        assert verdict(message, listed, ["$create"]) == "2"
    else:
        assert verdict(message, listed[1:]) == f"{top}.4"


@every_version
def test_auth_events_are_of_the_same_room(version: RoomVersion) -> None:
    room, message, listed, top = listing(version)
    strange = room.event("m.room.member", {"membership": "join"}, state_key=ALICE, room_id="!else:a.example")
    assert verdict(message, [*listed[:-1], strange]) == f"{top}.5"


@every_version
def test_a_create_event_is_judged_by_rule_1_alone(version: RoomVersion) -> None:
    room = Room(version)
    assert verdict(room.create, [room.create, room.create]) is None


def test_the_first_broken_duty_is_the_one_named() -> None:
    room, message, listed, _ = listing(since(11, 11)[0])
    name = room.put("m.room.name", {})
    assert verdict(message, [name, listed[1], listed[1]], [listed[1].event_id]) == "2.1"
    assert verdict(message, [name, listed[1]], [listed[1].event_id]) == "2.2"
    assert verdict(message, [listed[1]], [listed[1].event_id]) == "2.3"
