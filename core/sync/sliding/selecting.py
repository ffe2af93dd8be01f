"""Which rooms a request asks for: those that its lists' filters accept, in the ranges asked for, newest bump first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import orjson

from core.graph.graph import Graph
from core.ids import RoomId, RoomNid, UserNid
from core.storage.account_data import AccountDataStore
from core.storage.log import Kind
from core.sync.asking import Asking
from core.sync.sliding.bump_stamps import BumpStamps
from core.sync.sliding.connections import Passing, Selection, Told
from core.sync.sliding.request import ListFilters, ListRequest, RoomConfig, SlidingBody
from core.sync.sliding.room_facts import Facts, RoomFacts, facts_of_stripped
from core.sync.sliding.standings import Standing, StandingReader, Standings


class Selector:
    """Selects rooms. What was selected before is used again as far as nothing has changed about it."""

    def __init__(
        self,
        graph: Graph,
        standings: StandingReader,
        account_data: AccountDataStore,
        facts: RoomFacts,
        stamps: BumpStamps,
    ) -> None:
        self._graph = graph
        self._standings = standings
        self._account_data = account_data
        self._facts = facts
        self._stamps = stamps

    def advance(self, asking: Asking, body: SlidingBody, told: Told, changed: Collection[RoomNid]) -> Told:
        """`told` with the standings, filters' verdicts and selection of now.

        `changed` are the rooms in which something happened in the window. Cost: as many rooms as changed, where all
        lists are of all rooms; otherwise all of the user's rooms.
        """
        window, is_first = asking.window, told.body is None
        standings = (
            self._standings.all(asking) if is_first else self._standings.changed(asking, told.standings, told.rooms)
        )
        direct, tags, is_anew = told.direct, told.tags, is_first or standings is not told.standings
        if is_first or window.has(Kind.ACCOUNT_DATA):
            direct = self._direct(asking.viewer.user_nid)
            is_anew = is_anew or direct != told.direct
        if any(one.filters is not None and one.filters.needs_tags for one in body.lists.values()):
            if tags is None or window.has(Kind.ROOM_ACCOUNT_DATA):
                tags = self._tags(asking.viewer.user_nid)
                is_anew = is_anew or tags != told.tags
        else:
            tags = None
        now = replace(told, body=body, standings=standings, direct=direct, tags=tags)
        passing = self._passing(asking, now, {} if is_anew else told.passing, changed)
        is_same = passing.keys() == told.passing.keys() and all(passing[n] is told.passing[n] for n in passing)
        if is_same and not is_anew and told.selection.is_settled and (told.body is body or told.body == body):
            return now
        return replace(now, passing=passing, selection=self._select(body, now.standings, passing))

    def _passing(
        self, asking: Asking, now: Told, before: Mapping[str, Passing], changed: Collection[RoomNid]
    ) -> dict[str, Passing]:
        """The rooms that each list's filters accept."""
        assert now.body is not None
        found: dict[str, Passing] = {}
        for name, wanted in now.body.lists.items():
            known = before.get(name)
            if known is not None and known[0] == wanted.filters:
                found[name] = self._passing_again(asking, now, known, changed)
            else:
                found[name] = (wanted.filters, self._accepted(asking, wanted.filters, now, now.standings))
        return found

    def _passing_again(self, asking: Asking, now: Told, known: Passing, changed: Collection[RoomNid]) -> Passing:
        """The verdicts of before, with those rooms judged anew in which something happened."""
        filters, rooms = known
        if filters is None:
            return known
        if filters.spaces is not None:
            again = self._accepted(asking, filters, now, now.standings)
        else:
            some = {room: now.standings[room] for room in changed if room in now.standings}
            if not some:
                return known
            again = (rooms - some.keys()) | self._accepted(asking, filters, now, some)
        return known if again == rooms else (filters, again)

    def _accepted(
        self, asking: Asking, filters: ListFilters | None, now: Told, standings: Standings
    ) -> frozenset[RoomNid]:
        """Those of some rooms that the filters accept."""
        listed = {room: one for room, one in standings.items() if one.is_listed}
        if filters is None:
            return frozenset(listed)
        facts = self._facts_of(listed) if filters.needs_facts else {}
        children = None if filters.spaces is None else self._children(filters.spaces, now)
        names = self._graph.rooms.names(listed)
        return frozenset(
            room
            for room, standing in listed.items()
            if (children is None or names[room].room_id in children)
            and _accepts(filters, standing, names[room].room_id, facts.get(room), now)
        )

    def _facts_of(self, listed: Standings) -> dict[RoomNid, Facts]:
        found = self._facts.of([room for room, one in listed.items() if one.out_of_band is None])
        for room, standing in listed.items():
            if standing.out_of_band is not None:
                told = facts_of_stripped(standing.out_of_band.stripped_state)
                if told is not None:
                    found[room] = told
        return found

    def _children(self, spaces: Collection[str], now: Told) -> set[str]:
        """The rooms in some spaces, as far as the user is in those."""
        found: set[str] = set()
        for space in spaces:
            room = self._graph.rooms.find(RoomId(space))
            if room is None or room.room_nid not in now.standings:
                continue
            if now.standings[room.room_nid].membership == "join":
                children = self._graph.states.current(room.room_nid).of_type("m.space.child")
                found |= {key for key, stored in children.items() if isinstance(stored.content.get("via"), list)}
        return found

    def _select(self, body: SlidingBody, standings: Standings, passing: Mapping[str, Passing]) -> Selection:
        configs: dict[RoomNid, RoomConfig] = {}
        merged: dict[tuple[int, int], RoomConfig] = {}
        lists: dict[str, frozenset[RoomNid]] = {}
        is_settled = True
        for name, wanted in body.lists.items():
            rooms = passing[name][1]
            chosen = _in_ranges(wanted, rooms)
            if chosen is None:
                is_settled = False
                chosen = self._newest(wanted, rooms)
            lists[name] = chosen
            _add(configs, merged, chosen, wanted.config)
        for room_id, config in body.subscriptions.items():
            room = self._graph.rooms.find(room_id)
            if room is not None and room.room_nid in standings and standings[room.room_nid].is_listed:
                _add(configs, merged, (room.room_nid,), config)
        return Selection(configs, {name: len(passing[name][1]) for name in body.lists}, lists, is_settled)

    def _newest(self, wanted: ListRequest, rooms: Collection[RoomNid]) -> frozenset[RoomNid]:
        """The rooms in the ranges of a list, newest bump first; of the same stamp, the newest room."""
        stamps = self._stamps.of(rooms)
        ordered = sorted(rooms, key=lambda room: (stamps[room], room), reverse=True)
        return frozenset(room for first, last in wanted.ranges or () for room in ordered[first : last + 1])

    def _direct(self, user: UserNid) -> frozenset[str]:
        """The rooms that the user's `m.direct` names."""
        content = _content(self._account_data.find(user, "m.direct"))
        rooms = [room for listed in content.values() if isinstance(listed, list) for room in listed]
        return frozenset(room for room in rooms if isinstance(room, str))

    def _tags(self, user: UserNid) -> dict[str, frozenset[str]]:
        """The user's tags, by room."""
        found: dict[str, frozenset[str]] = {}
        for room_id, contents in self._account_data.all_in_rooms(user).items():
            tags = _content(dict(contents).get("m.tag")).get("tags")
            if isinstance(tags, dict):
                found[room_id] = frozenset(tags)
        return found


def _accepts(filters: ListFilters, standing: Standing, room_id: str, facts: Facts | None, now: Told) -> bool:
    if filters.is_invite is not None and filters.is_invite != (standing.membership == "invite"):
        return False
    if filters.is_dm is not None and filters.is_dm != (room_id in now.direct):
        return False
    if filters.needs_tags:
        tags = (now.tags or {}).get(room_id, frozenset())
        if (filters.tags is not None and not filters.tags & tags) or (filters.not_tags or frozenset()) & tags:
            return False
    if not filters.needs_facts:
        return True
    if facts is None:
        return False  # a room of which too little is known
    if filters.is_encrypted is not None and filters.is_encrypted != facts.is_encrypted:
        return False
    if filters.room_name_like is not None and filters.room_name_like not in facts.name:
        return False
    if filters.room_types is not None and facts.room_type not in filters.room_types:
        return False
    return filters.not_room_types is None or facts.room_type not in filters.not_room_types


def _in_ranges(wanted: ListRequest, rooms: frozenset[RoomNid]) -> frozenset[RoomNid] | None:
    """The rooms of a list whose ranges take all or none of them; None where it depends on their order."""
    if wanted.ranges is None:
        return rooms
    if not wanted.ranges or not rooms:
        return frozenset()
    return rooms if any(first == 0 and last >= len(rooms) - 1 for first, last in wanted.ranges) else None


def _add(
    configs: dict[RoomNid, RoomConfig],
    merged: dict[tuple[int, int], RoomConfig],
    rooms: Collection[RoomNid],
    config: RoomConfig,
) -> None:
    """Ask for rooms, beside what is asked of them already. The same two configurations are merged once."""
    for room in rooms:
        known = configs.get(room)
        if known is None:
            configs[room] = config
        elif known is not config:
            key = (id(known), id(config))
            together = merged.get(key)
            if together is None:
                together = merged[key] = known | config
            configs[room] = together


def _content(raw: bytes | None) -> dict[str, object]:
    found = orjson.loads(raw) if raw is not None else None
    return found if isinstance(found, dict) else {}
