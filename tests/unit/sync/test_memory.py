"""What syncs keep in memory is bounded, and says so when it does not reach back far enough."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import InvalidParam
from core.ids import EventNid, Position, RoomNid, UserNid
from core.storage.log import Kind, Line
from core.sync.active_users import ActiveUser, ActiveUsers
from core.sync.recent_lines import RecentLines
from core.sync.sent_members import SentMembersMemory
from core.sync.tokens import SyncToken

ROOM, OTHER = RoomNid(1), RoomNid(2)


def line(position: int) -> Line:
    """An event's line."""
    return Line(Kind.EVENT, ROOM, position * 10, False, Position(position))


def user(nid: int, *rooms: int) -> ActiveUser:
    """Somebody who is in `rooms`."""
    return ActiveUser(UserNid(nid), Position(0), {RoomNid(room) for room in rooms})


@given(st.integers(0, 10**17), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_token_reads_as_it_was_written(position, epoch, n):
    token = SyncToken(Position(position), epoch, n)
    assert SyncToken.parse(str(token)) == token


@given(st.text(max_size=30))
def test_whatever_is_no_token_is_refused(text):
    assume(not re.fullmatch(r"s[0-9]+_[0-9]+\.[0-9]+", text))
    with pytest.raises(InvalidParam):
        SyncToken.parse(text)


def test_a_count_of_another_epoch_counts_as_nothing():
    assert SyncToken(Position(1), 5, 7).counted_since(5) == 7
    assert SyncToken(Position(1), 5, 7).counted_since(6) == 0


def test_recent_lines_answer_completely_or_not_at_all():
    recent = RecentLines(per_room=3)
    recent.watch(ROOM, 10)
    for position in (11, 12, 13):
        recent.add(ROOM, line(position))
    assert [found[0] for found in recent.newest_first(ROOM, 10, 12)] == [12, 11]
    assert recent.newest_first(ROOM, 9, 13) is None
    recent.add(ROOM, line(14))
    assert recent.newest_first(ROOM, 10, 14) is None
    assert [found[0] for found in recent.newest_first(ROOM, 11, 14)] == [14, 13, 12]
    assert recent.newest_first(OTHER, 14, 14) is None


def test_recent_lines_of_all_rooms_together_are_bounded():
    recent = RecentLines(per_room=5, in_all=4)
    recent.watch(ROOM, 0)
    recent.watch(OTHER, 0)
    for position in range(1, 4):
        recent.add(ROOM, line(position))
    for position in range(4, 6):
        recent.add(OTHER, line(position))
    assert len(recent) == 2
    assert recent.newest_first(ROOM, 3, 5) is None
    assert recent.newest_first(OTHER, 0, 5) is not None


def test_rooms_come_latest_first_and_only_those_after_a_position():
    someone = user(1)
    for room, position in ((1, 5), (2, 6), (1, 7), (3, 8)):
        someone.note_room(RoomNid(room), position)
    assert someone.rooms_since(5) == [3, 1, 2]
    assert someone.rooms_since(7) == [3]
    assert someone.rooms_since(8) == []


def test_users_beyond_the_limit_are_let_go_unless_they_wait():
    users = ActiveUsers(limit=2)
    first, second, third = user(1, 7), user(2, 7), user(3, 8)
    first.waiters.append(object())
    users.add(first)
    users.add(second)
    assert users.add(third) == []
    assert users.get(1) is first
    assert users.get(2) is None
    assert users.watchers(7) == {first}


def test_users_who_went_away_are_let_go_and_their_rooms_watched_no_more():
    users = ActiveUsers(seconds=-1)
    users.add(user(1, 7))
    assert users.add(user(2, 8)) == [7]
    assert users.get(1) is None
    assert users.watchers(7) == set()


@pytest.mark.parametrize(("since", "has"), [("t1", True), ("t0", False), ("", False)])
def test_members_count_as_sent_once_the_device_shows_the_token(since, has):
    memory = SentMembersMemory()
    members = memory.before(UserNid(1), "D", "")
    members.note(ROOM, UserNid(2), EventNid(3))
    memory.keep(UserNid(1), "D", members, "t1")
    assert memory.before(UserNid(1), "D", since).has(ROOM, UserNid(2), EventNid(3)) is has


def test_an_empty_answer_keeps_what_a_device_has():
    memory = SentMembersMemory()
    members = memory.before(UserNid(1), "D", "")
    members.note(ROOM, UserNid(2), EventNid(3))
    memory.keep(UserNid(1), "D", members, "t1")
    memory.go_on(UserNid(1), "D", "t1", "t2")
    assert memory.before(UserNid(1), "D", "t2").has(ROOM, UserNid(2), EventNid(3))
    assert not memory.before(UserNid(1), "E", "t2").has(ROOM, UserNid(2), EventNid(3))
