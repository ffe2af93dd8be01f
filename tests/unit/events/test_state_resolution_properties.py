"""What holds for every resolution, whatever the room: checked on random forked rooms of five servers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.events.auth_chain import auth_chain, auth_difference, paths_between
from core.events.event import Event
from core.events.room_versions import ROOM_VERSIONS, V1, V2, V6, V10, V12, RoomVersion
from core.events.state_resolution import Trace, resolve
from core.ids import EventId
from tests.unit.events.forked_rooms import ForkedRoom, LeveledMemory, Memory, State, act_at_random
from tests.unit.events.naive_resolution import NaiveResolution

few = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
versions = st.sampled_from((V2, V6, V10, V12))


def forked(version: RoomVersion, random: Random, actions: int = 60) -> ForkedRoom:
    room = ForkedRoom(version)
    act_at_random(room, random, actions)
    return room


def states_of(room: ForkedRoom) -> list[State]:
    """The states after every forward extremity of every server."""
    tips = {one for server in room.servers for one in server.extremities}
    return [next(s.received[one] for s in room.servers if one in s.received) for one in sorted(tips)]


@few
@given(st.sampled_from((V1, V2, V10, V12)), st.randoms())
def test_resolution_ignores_the_order_of_its_inputs(version: RoomVersion, random: Random) -> None:
    room = forked(version, random)
    states = states_of(room)
    shuffled = [dict(random.sample(list(state.items()), len(state))) for state in random.sample(states, len(states))]
    assert resolve(version, shuffled, room.memory) == resolve(version, states, room.memory)


@few
@given(versions, st.randoms())
def test_every_server_comes_to_the_same_state_once_all_have_everything(version: RoomVersion, random: Random) -> None:
    room = forked(version, random)
    room.settle()
    states = [room.state_of(server) for server in room.servers]
    assert all(state == states[0] for state in states)


def scrambled_states(room: ForkedRoom, random: Random) -> list[State]:
    """States no honest server would have, of events the room has: keys dropped, and set back to older events."""
    states = [dict(state) for state in states_of(room)]
    everything = [event for event in room.memory.by_id.values() if event.is_state and event.type != "m.room.create"]
    for state in states[:1] * 2 if len(states) == 1 else states:
        for event in random.sample(everything, min(4, len(everything))):
            state[event.key] = event.event_id
        for key in random.sample([key for key in state if key[0] != "m.room.create"], 2):
            del state[key]
    return states


@settings(few, max_examples=150)
@given(versions, st.randoms(), st.booleans())
def test_resolution_agrees_with_the_words_of_the_specification(
    version: RoomVersion, random: Random, scrambled: bool
) -> None:
    room = forked(version, random)
    states = scrambled_states(room, random) if scrambled else states_of(room)
    room.memory.rejected.update(random.sample(sorted(room.memory.by_id), 3) if scrambled else ())
    naive = NaiveResolution(version, room.memory.by_id, room.memory.rejected)
    assert resolve(version, states, room.memory) == naive.resolve(states)


class Numbered:
    """A server's own integers for events, given in an order of its own."""

    def __init__(self, memory: Memory, random: Random) -> None:
        ids = random.sample(sorted(memory.by_id), len(memory.by_id))
        self.number = {one: nid for nid, one in enumerate(ids)}
        self.ids, self.memory = ids, memory

    def events(self, ids: Collection[int]) -> Mapping[int, Event]:
        return {nid: self.memory.by_id[self.ids[nid]] for nid in ids}

    def auth_edges(self, ids: Collection[int]) -> Mapping[int, Collection[int]]:
        return {nid: [self.number[a] for a in self.memory.by_id[self.ids[nid]].auth_event_ids] for nid in ids}

    def is_rejected(self, one: int) -> bool:
        return self.memory.is_rejected(self.ids[one])


@few
@given(versions, st.randoms())
def test_resolution_does_not_depend_on_what_a_server_uses_for_ids(version: RoomVersion, random: Random) -> None:
    room = forked(version, random)
    numbered, states = Numbered(room.memory, random), states_of(room)
    in_numbers = [{key: numbered.number[one] for key, one in state.items()} for state in states]
    resolved = resolve(version, in_numbers, numbered)
    assert {key: numbered.ids[nid] for key, nid in resolved.items()} == resolve(version, states, room.memory)


@few
@given(versions, st.randoms())
def test_auth_levels_change_what_is_read_and_not_what_is_resolved(version: RoomVersion, random: Random) -> None:
    room = forked(version, random)
    leveled, states = LeveledMemory(room.memory.by_id, room.memory.rejected), states_of(room)
    assert resolve(version, states, leveled) == resolve(version, states, room.memory)


@few
@given(versions, st.randoms())
def test_repeating_a_state_set_changes_nothing(version: RoomVersion, random: Random) -> None:
    room = forked(version, random)
    states = states_of(room)
    assert resolve(version, states + states[:1], room.memory) == resolve(version, states, room.memory)


@few
@given(versions, st.randoms())
def test_a_trace_does_not_change_the_resolution_and_accounts_for_every_event(
    version: RoomVersion, random: Random
) -> None:
    room, trace = forked(version, random), Trace()
    states = states_of(room)
    assert resolve(version, states, room.memory, trace=trace) == resolve(version, states, room.memory)
    judged = trace.accepted + [refusal.event_id for refusal in trace.refused]
    assert sorted(judged) == trace.full_conflicted
    assert sorted(trace.power_order + [one for one, _ in trace.mainline_order]) == trace.full_conflicted


graphs = st.lists(st.sets(st.integers(0, 30), max_size=3), min_size=1, max_size=30).map(
    lambda picks: {
        number: sorted({pick % number for pick in picked}) if number else [] for number, picked in enumerate(picks)
    }
)


class Edges:
    """A bare graph: every event rests on some of smaller number."""

    def __init__(self, graph: Mapping[int, list[int]]) -> None:
        self.graph = graph

    def auth_edges(self, ids: Collection[int]) -> Mapping[int, Collection[int]]:
        return {one: self.graph[one] for one in ids}


class LeveledEdges(Edges):
    """The same with levels; the numbers are good ones."""

    def auth_levels(self, ids: Collection[int]) -> Mapping[int, int]:
        return {one: one for one in ids}


def reach(graph: Mapping[int, list[int]], roots: Collection[int]) -> set[int]:
    """The naive oracle: roots and all they rest on."""
    found = set(roots)
    for one in sorted(graph, reverse=True):
        if one in found:
            found.update(graph[one])
    return found


@pytest.mark.parametrize("kind", [Edges, LeveledEdges])
@few
@given(graphs, st.data())
def test_the_auth_difference_is_what_some_chains_have_and_not_all(
    kind: Callable[[Mapping[int, list[int]]], Edges], graph: dict[int, list[int]], data: st.DataObject
) -> None:
    nodes = st.sets(st.sampled_from(sorted(graph)), max_size=4)
    sides, shared = data.draw(st.lists(nodes, min_size=1, max_size=4)), data.draw(nodes)
    chains = [reach(graph, side | shared) for side in sides]
    everywhere = chains[0].intersection(*chains)
    assert auth_difference(sides, lambda: shared, kind(graph)) == chains[0].union(*chains) - everywhere


@pytest.mark.parametrize("kind", [Edges, LeveledEdges])
@few
@given(graphs, st.data())
def test_the_subgraph_is_what_lies_below_one_and_above_another(
    kind: Callable[[Mapping[int, list[int]]], Edges], graph: dict[int, list[int]], data: st.DataObject
) -> None:
    ends = data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=4))
    below = reach(graph, ends)
    expected = {one for one in below if reach(graph, [one]) & ends}
    assert paths_between(ends, kind(graph)) == expected


@few
@given(graphs, st.data())
def test_an_auth_chain_has_a_root_only_if_another_rests_on_it(graph: dict[int, list[int]], data: st.DataObject) -> None:
    roots = data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=4))
    expected = reach(graph, {parent for one in roots for parent in graph[one]})
    assert auth_chain(roots, Edges(graph)) == expected


def test_every_room_version_resolves_no_state_to_no_state() -> None:
    assert all(resolve(version, [], Memory()) == {} for version in ROOM_VERSIONS.values())
    assert all(
        resolve(version, [{("t", ""): EventId("$a")}] * 2, Memory()) == {("t", ""): "$a"}
        for version in ROOM_VERSIONS.values()
    )
