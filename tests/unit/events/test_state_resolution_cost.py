"""What a resolution reads and keeps: rooms with 100,000 power levels behind them, made up as they are read."""

from __future__ import annotations

import tracemalloc
from collections.abc import Collection, Mapping

from core.events.event import Event
from core.events.room_versions import V10, V12
from core.events.state_resolution import Lookup, find_conflict, resolve, resolve_conflict
from core.ids import StateKey
from tests.unit.events.forked_rooms import make_event

ALICE = "@alice:s.example"
LENGTH = 100_000
CREATE, JOIN, LEFT, RIGHT = 0, 1, LENGTH + 2, LENGTH + 3
State = dict[StateKey, int]


class LongRoom:
    """Create 0, join 1, then power levels up to LENGTH + 1, each on the one before, and two topics on the last."""

    def __init__(self) -> None:
        self.events_read = self.edges_read = self.checkpoints = 0

    def events(self, ids: Collection[int]) -> Mapping[int, Event]:
        self.events_read += len(ids)
        return {one: self._event(one) for one in ids}

    def auth_edges(self, ids: Collection[int]) -> Mapping[int, Collection[int]]:
        self.edges_read += len(ids)
        return {one: self._edges(one) for one in ids}

    def is_rejected(self, one: int) -> bool:
        return False

    def checkpoint(self) -> None:
        self.checkpoints += 1

    def _edges(self, one: int) -> tuple[int, ...]:
        if one <= JOIN:
            return (CREATE,) if one else ()
        before = LENGTH + 1 if one > LENGTH + 1 else one - 1
        return (CREATE, JOIN, before) if before > JOIN else (CREATE, JOIN)

    def _event(self, one: int) -> Event:
        auth = [f"${other}" for other in self._edges(one)]
        if one == CREATE:
            return make_event(V10, "$0", "m.room.create", ALICE, "", {"creator": ALICE}, room_id="!r:s.example")
        if one == JOIN:
            return make_event(V10, "$1", "m.room.member", ALICE, ALICE, {"membership": "join"}, auth)
        if one > LENGTH + 1:
            return make_event(V10, f"${one}", "m.room.topic", ALICE, "", {}, auth, ts=one)
        return make_event(V10, f"${one}", "m.room.power_levels", ALICE, "", {"users": {ALICE: 100}}, auth, ts=one)


class LeveledLongRoom(LongRoom):
    """The same, knowing auth levels: the ids are good ones."""

    def auth_levels(self, ids: Collection[int]) -> Mapping[int, int]:
        return {one: one for one in ids}


def fork(left: int, right: int, power_levels: int | None = LENGTH + 1) -> list[State]:
    shared: State = {("m.room.create", ""): CREATE, ("m.room.member", ALICE): JOIN}
    if power_levels is None:
        return [{**shared, ("m.room.power_levels", ""): one} for one in (left, right)]
    shared["m.room.power_levels", ""] = power_levels
    return [{**shared, ("m.room.topic", ""): one} for one in (left, right)]


def test_a_chain_of_100_000_auth_events_fits_in_little_memory() -> None:
    room = LongRoom()
    tracemalloc.start()
    try:
        assert resolve(V10, fork(LEFT, RIGHT), room, room.checkpoint)["m.room.topic", ""] == RIGHT
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
    assert room.checkpoints > 300
    assert room.events_read < 50


def test_with_auth_levels_a_late_fork_reads_only_its_end() -> None:
    for version in (V10, V12):
        room = LeveledLongRoom()
        resolve(version, fork(LEFT, RIGHT), room, create=CREATE)
        assert room.edges_read < 50
        assert room.events_read < 50


def test_the_mainline_is_read_only_to_where_the_events_meet_it() -> None:
    room = LeveledLongRoom()
    resolve(V10, fork(LENGTH - 5, LENGTH + 1, None), room)
    assert room.events_read < 50


def test_a_known_conflict_resolves_as_the_states_do() -> None:
    lookup: Lookup[int] = LeveledLongRoom()
    states = fork(LEFT, RIGHT)
    whole, parts = resolve(V10, states, lookup), resolve_conflict(V10, find_conflict(states), lookup)
    assert parts == {("m.room.topic", ""): whole["m.room.topic", ""]}


class IndexedRoom(LongRoom):
    """A lookup with its own index of auth differences."""

    def auth_difference(self, sides: object, shared: object) -> Collection[int]:
        return [LEFT, RIGHT]


def test_a_lookup_with_an_index_spares_the_walk() -> None:
    room = IndexedRoom()
    assert resolve(V10, fork(LEFT, RIGHT), room)["m.room.topic", ""] == RIGHT
    assert room.edges_read < 50
