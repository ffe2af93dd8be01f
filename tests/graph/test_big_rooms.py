"""Big rooms that fork and heal: what is stored stays in proportion to what has changed, and everybody is counted once."""

from __future__ import annotations

import pytest

from core.events.room_versions import V10
from core.graph.appending.admission import Admission
from core.ids import UserId
from tests.graph.replay import ALICE, BOB, Recorder

EVENTS_AT_ONCE = 100
ENTRY_BYTES = 24
"""One entry of a keyframe."""

SIZES = [pytest.param(600, 30, id="small"), pytest.param(10_000, 100, id="big", marks=pytest.mark.soak)]


class BigRoom:
    """A public room, and what it takes to store it."""

    def __init__(self, graph, database):
        self.graph, self.database, self.record = graph, database, Recorder(V10)
        self.begin = self.record.start(BOB)
        self.room = graph.rooms.intern(self.record.room_id, V10).room_nid
        self.append(self.begin)

    def append(self, events):
        """Let events in, some at once."""
        for start in range(0, len(events), EVENTS_AT_ONCE):
            batch = events[start : start + EVENTS_AT_ONCE]
            appended = self.graph.write.append(self.room, [Admission(event) for event in batch])
            assert appended.refused == {}

    def joins(self, server, count, after):
        """Joins of new users of a server, one after the other."""
        create, _, levels, rules = self.begin[:4]
        made = [after]
        for number in range(count):
            user = UserId(f"@u{number}:{server}.test")
            content = {"membership": "join"}
            auth = [create, levels, rules]
            made.append(self.record.event("m.room.member", user, content, made[-1:], user, auth=auth, is_noted=False))
        return made[1:]

    def state_event(self, user, key, prevs):
        """One state event."""
        create, own, levels = self.begin[0], self.begin[1 if user == ALICE else 4], self.begin[2]
        return self.record.event("x.state", user, {"k": key}, prevs, key, auth=[create, own, levels], is_noted=False)

    def rows(self):
        """(changes, lines, bytes of keyframes)."""
        here = "JOIN state_lines l ON l.line_nid = c.line_nid WHERE l.room_nid = ?"
        changes = self.database.value(f"SELECT COUNT(*) FROM state_changes c {here}", (self.room,))
        lines = self.database.value("SELECT COUNT(*) FROM state_lines WHERE room_nid = ?", (self.room,))
        size = self.database.value(f"SELECT SUM(LENGTH(c.entries)) FROM state_keyframes c {here}", (self.room,))
        return changes, lines, size or 0

    def joined(self):
        """How many are joined, by count and by rows."""
        return self.graph.states.member_counts(self.room)[0], len(self.graph.memberships.members(self.room))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("members", "forks"), SIZES)
def test_forks_of_a_big_room_cost_what_they_change(graph, database, members, forks):
    big = BigRoom(graph, database)
    joins = big.joins("a", members, big.begin[-1])
    big.append(joins)
    before = big.rows()
    fork = [big.state_event(ALICE if n % 2 else BOB, f"fork{n}", joins[-1:]) for n in range(forks)]
    tips = [big.state_event(ALICE, f"tip{n}", [one]) for n, one in enumerate(fork)]
    big.append([*fork, *tips])
    merged = tips
    while len(merged) > 1:
        parts = [merged[start : start + 20] for start in range(0, len(merged), 20)]
        merged = [big.state_event(ALICE, f"merge{len(merged)} {n}", part) for n, part in enumerate(parts)]
        big.append(merged)
    changes, lines, keyframes = (after - earlier for after, earlier in zip(big.rows(), before, strict=True))
    state = len(big.graph.states.current(big.room))
    assert state >= members + 2 * forks
    assert big.joined() == (members + 2, members + 2)
    merges = -(-forks // 20)
    assert (
        changes <= (4 + 2 * merges) * forks
    )  # each twice, and each of the first merges lacks what the other forks did
    assert lines <= 4 * forks
    assert keyframes <= 2 * state * ENTRY_BYTES


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "joins", [pytest.param(500, id="small"), pytest.param(5_000, id="big", marks=pytest.mark.soak)]
)
def test_a_healed_netsplit_of_joins_stores_each_twice_at_most(graph, database, joins):
    big = BigRoom(graph, database)
    sides = [big.joins(server, joins, big.begin[-1]) for server in "ab"]
    for start in range(0, joins, EVENTS_AT_ONCE):
        for side in sides:
            big.append(side[start : start + EVENTS_AT_ONCE])
    big.append([big.state_event(ALICE, "healed", [side[-1] for side in sides])])
    changes, lines, keyframes = big.rows()
    assert big.joined() == (2 * joins + 2, 2 * joins + 2)
    assert changes <= 2 * 2 * joins + 100
    assert lines <= 5
    assert keyframes <= 4 * 2 * joins * ENTRY_BYTES
