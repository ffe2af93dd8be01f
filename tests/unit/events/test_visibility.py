"""History visibility: users, servers, and the events that change it."""

from __future__ import annotations

from typing import Any

import pytest

from core.events.event import Event
from core.events.room_versions import V11
from core.events.visibility import HistoryVisibility, history_visibility, may_see, server_may_see
from tests.unit.events.forked_rooms import make_event

BOB = "@bob:b.example"
WORLD, SHARED, INVITED, JOINED = HistoryVisibility


def message() -> Event:
    return make_event(V11, "$m", "m.room.message", "@alice:a.example", None, {})


def member(membership: Any, user: str = BOB) -> Event:
    return make_event(V11, "$m", "m.room.member", user, user, {"membership": membership})


def setting(value: Any) -> Event:
    content = {"history_visibility": value}
    return make_event(V11, "$v", "m.room.history_visibility", "@alice:a.example", "", content)


@pytest.mark.parametrize(
    ("visibility", "membership", "joined_since", "seen"),
    [
        (WORLD, None, False, True),
        (WORLD, "ban", False, True),
        (SHARED, "join", False, True),
        (SHARED, None, True, True),
        (SHARED, "leave", True, True),
        (SHARED, "leave", False, False),
        (SHARED, "invite", False, False),
        (INVITED, "join", False, True),
        (INVITED, "invite", False, True),
        (INVITED, "invite", True, True),
        (INVITED, None, True, False),
        (INVITED, "leave", True, False),
        (INVITED, "knock", True, False),
        (JOINED, "join", False, True),
        (JOINED, "invite", True, False),
        (JOINED, "leave", True, False),
    ],
)
def test_a_message_is_seen_by_the_rules(
    visibility: HistoryVisibility, membership: str | None, joined_since: bool, seen: bool
) -> None:
    assert may_see(message(), BOB, visibility, membership, joined_since) is seen
    memberships = [] if membership is None else [membership]
    assert server_may_see(message(), "b.example", visibility, memberships, joined_since) is seen


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [(None, "join", True), ("join", "leave", True), ("invite", "leave", False), (None, "invite", False)],
)
def test_ones_own_membership_counts_before_and_after_the_event(before: str | None, after: str, seen: bool) -> None:
    assert may_see(member(after), BOB, JOINED, before, False) is seen
    assert not may_see(member(after, "@carol:c.example"), BOB, JOINED, None, False)
    assert server_may_see(member(after), "b.example", JOINED, [before] if before else [], False) is seen
    assert not server_may_see(member(after), "c.example", JOINED, [], False)


def test_an_invitation_is_seen_by_the_invited_where_invited_may_see() -> None:
    assert may_see(member("invite"), BOB, INVITED, None, False)


def test_a_change_of_visibility_is_seen_if_either_side_of_it_allows() -> None:
    assert may_see(setting("joined"), BOB, WORLD, None, False)
    assert may_see(setting("world_readable"), BOB, JOINED, None, False)
    assert not may_see(setting("invited"), BOB, JOINED, None, False)
    assert server_may_see(setting("world_readable"), "b.example", JOINED, [], False)


def test_any_one_of_a_servers_users_is_enough() -> None:
    assert server_may_see(message(), "b.example", JOINED, ["leave", "join"], False)
    assert not server_may_see(message(), "b.example", JOINED, ["leave", "invite"], False)


@pytest.mark.parametrize("value", ["", "private", None, 7, ["joined"], {}])
def test_what_is_not_understood_is_shared(value: Any) -> None:
    assert history_visibility(setting(value)) is SHARED
    assert history_visibility(None) is SHARED


@pytest.mark.parametrize("visibility", HistoryVisibility)
def test_each_value_is_read(visibility: HistoryVisibility) -> None:
    assert history_visibility(setting(visibility.value)) is visibility


def test_a_membership_that_is_no_string_is_none() -> None:
    assert not may_see(member(["join"]), BOB, JOINED, None, False)
