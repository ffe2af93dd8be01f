"""Power levels: what may be set, and by whom; numbers as in the room versions' own lists."""

from __future__ import annotations

from typing import Any

import pytest

from core.events.room_versions import RoomVersion
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room, since
from tests.unit.events.test_auth_member import refusal

DAVE = "@dave:a.example"

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
stringy = pytest.mark.parametrize("version", since(1, 9), ids=lambda version: f"v{version.id}")
integers = pytest.mark.parametrize("version", since(10), ids=lambda version: f"v{version.id}")
NAMES = ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]


def rule(version: RoomVersion, part: str) -> str:
    """A part of the power level rule, given as in room version 1, wherever it stands in `version`."""
    top = 10 if version.special_cases_aliases or version.room_id_is_create_hash else 9
    first, dot, rest = part.partition(".")
    number = int(first) + (2 if version.integer_power_levels else 0)
    if version.privileged_creators and int(first) > 1:
        number += 1
    return f"{top}.{number}{dot}{rest}"


def room_with(version: RoomVersion, **levels: Any) -> Room:
    """Bob, joined, has level 50, which suffices for power levels; Carol has none."""
    room = Room(version)
    room.put_levels(**{"users": {BOB: 50}, **levels})
    room.put_member(BOB, "join")
    return room


def verdict(room: Room, content: dict[str, Any], sender: str = BOB) -> str | None:
    return refusal(room, room.event("m.room.power_levels", content, sender=sender, state_key=""))


@every_version
@pytest.mark.parametrize("users", [[], "x", 5, None, {"@a:b": "x"}, {"@a:b": None}, {"@a:b": True}, {"nobody": 1}])
def test_users_must_give_user_ids_levels(version: RoomVersion, users: Any) -> None:
    assert verdict(Room(version), {"users": users}, ALICE) == rule(version, "1")


@every_version
def test_without_users_or_levels_before_anything_goes(version: RoomVersion) -> None:
    assert verdict(Room(version), {}, ALICE) is None
    assert verdict(Room(version), {"users": {CAROL: 1000}, "ban": 1000, "events": {"x": 1000}}, ALICE) is None


@stringy
@pytest.mark.parametrize("level", ["50", " +050 ", "-5", "00"])
def test_until_version_9_levels_may_be_strings_of_integers(version: RoomVersion, level: str) -> None:
    assert verdict(Room(version), {"users": {CAROL: level}}, ALICE) is None


@stringy
@pytest.mark.parametrize("level", ["", "5.0", "1e3", "0x10", "1_0", "+-5", "5 5", "٣"])
def test_other_strings_are_no_levels(version: RoomVersion, level: str) -> None:
    assert verdict(Room(version), {"users": {CAROL: level}}, ALICE) == rule(version, "1")


@integers
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("junk", ["50", 5.0, None, True, [], {}])
def test_from_version_10_named_levels_must_be_integers(version: RoomVersion, name: str, junk: Any) -> None:
    top = "10" if version.room_id_is_create_hash else "9"
    assert verdict(Room(version), {name: junk}, ALICE) == f"{top}.1"


@integers
@pytest.mark.parametrize("group", ["events", "notifications"])
@pytest.mark.parametrize("junk", [{"x": "50"}, {"x": 5.0}, {"x": None}, {"x": False}, [], "x", None])
def test_from_version_10_entries_must_be_integers(version: RoomVersion, group: str, junk: Any) -> None:
    top = "10" if version.room_id_is_create_hash else "9"
    assert verdict(Room(version), {group: junk}, ALICE) == f"{top}.2"


@integers
def test_from_version_10_users_levels_are_no_strings(version: RoomVersion) -> None:
    assert verdict(Room(version), {"users": {CAROL: "50"}}, ALICE) == rule(version, "1")


def test_in_version_12_creators_are_not_listed() -> None:
    (version,) = since(12)
    room = Room(version, additional_creators=[CAROL])
    assert verdict(room, {"users": {ALICE: 100}}, ALICE) == "10.4"
    assert verdict(room, {"users": {CAROL: 0}}, ALICE) == "10.4"
    assert verdict(room, {"users": {BOB: 0}}, ALICE) is None
    (version_11,) = since(11, 11)
    assert verdict(Room(version_11, additional_creators=[CAROL]), {"users": {ALICE: 100, CAROL: 1}}, ALICE) is None


@every_version
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (50, 49, None),
        (50, None, None),
        (None, 50, None),
        (51, 51, None),
        (51, 50, "3.1"),
        (51, None, "3.1"),
        (50, 51, "3.2"),
        (None, 51, "3.2"),
    ],
)
def test_named_levels_move_within_the_senders_reach(
    version: RoomVersion, name: str, old: int | None, new: int | None, part: str | None
) -> None:
    users = {"users": {BOB: 50}, "events": {"m.room.power_levels": 0}}
    room = room_with(version, **users, **({} if old is None else {name: old}))
    content = {**users, **({} if new is None else {name: new})}
    assert verdict(room, content) == (None if part is None else rule(version, part))


@every_version
@pytest.mark.parametrize("group", ["events", "notifications"])
@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (50, 49, None),
        (50, None, None),
        (None, 50, None),
        (51, 51, None),
        (51, 50, "4.1"),
        (51, None, "4.1"),
        (50, 51, "5.1"),
        (None, 51, "5.1"),
    ],
)
def test_entries_move_within_the_senders_reach(
    version: RoomVersion, group: str, old: int | None, new: int | None, part: str | None
) -> None:
    entry = {} if old is None else {group: {"x": old}}
    room = room_with(version, **entry)
    content = {"users": {BOB: 50}, **({} if new is None else {group: {"x": new}})}
    free = part is None or (group == "notifications" and not version.limits_notification_levels)
    assert verdict(room, content) == (None if free else rule(version, part or ""))


@every_version
@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (49, 50, None),
        (49, None, None),
        (None, 50, None),
        (50, 50, None),
        (50, 49, "6.1"),
        (50, None, "6.1"),
        (51, 0, "6.1"),
        (49, 51, "7.1"),
        (None, 51, "7.1"),
    ],
)
def test_users_below_the_sender_move_up_to_the_sender(
    version: RoomVersion, old: int | None, new: int | None, part: str | None
) -> None:
    room = room_with(version, users={BOB: 50, **({} if old is None else {CAROL: old})})
    content = {"users": {BOB: 50, **({} if new is None else {CAROL: new})}}
    assert verdict(room, content) == (None if part is None else rule(version, part))


@every_version
def test_one_may_lower_and_drop_but_not_raise_oneself(version: RoomVersion) -> None:
    room = room_with(version)
    assert verdict(room, {"users": {BOB: 10}}) is None
    assert verdict(room, {"users": {}}) is None
    assert verdict(room, {"users": {BOB: 51}}) == rule(version, "7.1")


@stringy
def test_a_level_written_another_way_is_no_change(version: RoomVersion) -> None:
    room = room_with(version, ban="100", users={BOB: 50, CAROL: "90"})
    assert verdict(room, {"users": {BOB: "50", CAROL: 90}, "ban": 100}) is None


@stringy
def test_a_new_level_that_is_no_number_is_refused(version: RoomVersion) -> None:
    room = room_with(version)
    assert verdict(room, {"users": {BOB: 50}, "ban": "much"}) == rule(version, "3.2")
    assert verdict(room, {"users": {BOB: 50}, "ban": None}) == rule(version, "3.2")


@pytest.mark.parametrize("version", since(1, 5), ids=lambda version: f"v{version.id}")
def test_floats_are_cut_at_the_point(version: RoomVersion) -> None:
    room = room_with(version)
    assert verdict(room, {"users": {BOB: 50.9}}) is None
    assert verdict(room, {"users": {BOB: 50.9, CAROL: 51.0}}) == rule(version, "7.1")
    assert verdict(room, {"users": {BOB: float("inf")}}) == rule(version, "1")


@every_version
def test_changing_levels_takes_the_level_to_send_them(version: RoomVersion) -> None:
    room = room_with(version, events={"m.room.power_levels": 51})
    top = 8 if version.special_cases_aliases or version.room_id_is_create_hash else 7
    assert verdict(room, {"users": {BOB: 50}, "events": {"m.room.power_levels": 51}}) == str(top)


def test_creators_of_version_12_change_everything() -> None:
    (version,) = since(12)
    room = room_with(version, users={BOB: 2**53 - 1}, ban=2**53 - 1)
    assert verdict(room, {"users": {DAVE: 2**53 - 1}}, ALICE) is None
