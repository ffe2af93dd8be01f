"""Reading power levels: defaults, creators, and values of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from core.events.power_levels import INFINITE, PowerLevels, power_level
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")


@every_version
def test_without_the_event_the_creator_has_100_or_everything_and_others_nothing(version: RoomVersion) -> None:
    levels = PowerLevels.of(Room(version).state)
    assert levels.of_user(ALICE) == (INFINITE if version.privileged_creators else 100)
    assert levels.of_user(BOB) == 0
    assert (levels.to_send("x", True), levels.to_send("x", False)) == (50, 0)
    assert [levels.to(action) for action in ("invite", "kick", "ban", "redact")] == [0, 50, 50, 50]
    assert levels.to_notify("room") == 50


@every_version
def test_the_event_overrides_every_default(version: RoomVersion) -> None:
    room = Room(version)
    room.put_levels(
        users={BOB: 7},
        users_default=1,
        events={"x": 2},
        events_default=3,
        state_default=4,
        invite=5,
        kick=6,
        ban=8,
        redact=9,
        notifications={"room": 10},
    )
    levels = PowerLevels.of(room.state)
    assert [levels.of_user(user) for user in (BOB, CAROL)] == [7, 1]
    assert levels.of_user(ALICE) == (INFINITE if version.privileged_creators else 1)
    assert [levels.to_send("x", True), levels.to_send("y", False), levels.to_send("y", True)] == [2, 3, 4]
    assert [levels.to(action) for action in ("invite", "kick", "ban", "redact")] == [5, 6, 8, 9]
    assert (levels.to_notify("room"), levels.to_notify("else")) == (10, 50)


@every_version
@pytest.mark.parametrize("junk", [None, "x", [], {}, True, [5]])
def test_what_is_no_level_counts_as_absent(version: RoomVersion, junk: Any) -> None:
    room = Room(version)
    room.put_levels(users={BOB: junk}, users_default=junk, events={"x": junk}, ban=junk, notifications={"room": junk})
    levels = PowerLevels.of(room.state)
    assert (levels.of_user(BOB), levels.to_send("x", True), levels.to("ban"), levels.to_notify("room")) == (
        0,
        50,
        50,
        50,
    )
    room.put_levels(users=junk, events=junk, notifications=junk)
    levels = PowerLevels.of(room.state)
    assert (levels.of_user(BOB), levels.to_send("x", False), levels.to_notify("room")) == (0, 0, 50)


@every_version
@pytest.mark.parametrize(
    ("value", "lenient"),
    [("50", 50), (" +050\n", 50), ("-5", -5), (50.9, 50), (-0.5, 0), ("5.0", None), ("٣", None), ("", None)],
)
def test_strings_and_floats_are_levels_until_version_9(version: RoomVersion, value: Any, lenient: int | None) -> None:
    assert power_level(value, version) == (None if version.integer_power_levels else lenient)
    assert power_level(50, version) == 50
    assert power_level(True, version) is None


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), "9" * 5000, 1j])
def test_numbers_without_end_are_no_levels(junk: Any) -> None:
    assert power_level(junk, ROOM_VERSIONS["1"]) is None


def test_creators_are_whom_the_version_names() -> None:
    for version_id, creators in (("10", {CAROL}), ("11", {ALICE}), ("12", {ALICE, BOB})):
        room = Room(ROOM_VERSIONS[version_id], creator=CAROL, additional_creators=[BOB, 5])
        levels = PowerLevels.of(room.state)
        assert {user for user in (ALICE, BOB, CAROL) if levels.of_user(user) > 0} == creators


def test_junk_creators_are_nobody() -> None:
    assert PowerLevels.of(Room(ROOM_VERSIONS["1"], creator=["x"]).state).of_user(ALICE) == 0
    assert PowerLevels.of(Room(ROOM_VERSIONS["12"], additional_creators="x").state).of_user("x") == 0


def test_levels_are_readable_without_a_create_event_but_not_without_any() -> None:
    room = Room(ROOM_VERSIONS["11"])
    room.put_levels(users={BOB: 5})
    del room.events[("m.room.create", "")]
    assert PowerLevels.of(room.state).of_user(BOB) == 5
    with pytest.raises(ValueError, match="need a create event"):
        PowerLevels.from_events(None, None)
