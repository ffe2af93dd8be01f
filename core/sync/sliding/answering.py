"""One answer of a sliding sync: what a client does not know yet of the rooms it asks for, and what it knows then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import orjson

from core.graph.graph import Graph
from core.ids import EventNid, Requester, RoomNid
from core.storage.database import Database
from core.storage.log import Kind
from core.sync.asking import Asking
from core.sync.counts import CountsSection
from core.sync.reading_ahead import ROOMS_AT_ONCE
from core.sync.sliding.bump_stamps import BumpStamps
from core.sync.sliding.connections import Told, ToldRoom
from core.sync.sliding.extensions import Extensions
from core.sync.sliding.request import RoomConfig, SlidingBody
from core.sync.sliding.required_state import NOTHING
from core.sync.sliding.room_parts import Parts, RoomParts
from core.sync.sliding.selecting import Selector
from core.sync.tokens import SyncToken

_UNASKED = RoomConfig(0, NOTHING)


class SlidingAnswers:
    """Makes answers."""

    def __init__(
        self,
        database: Database,
        graph: Graph,
        selector: Selector,
        stamps: BumpStamps,
        parts: RoomParts,
        counts: CountsSection,
        extensions: Extensions,
    ) -> None:
        self._database = database
        self._graph = graph
        self._selector = selector
        self._stamps = stamps
        self._parts = parts
        self._counts = counts
        self._extensions = extensions

    def answer(
        self, asking: Asking, body: SlidingBody, before: Told, pos: str, upto: SyncToken
    ) -> tuple[bytes | None, Told]:
        """(the answer, None for nothing to tell; what the client knows then, and is told of no more)."""
        is_first = before.body is None
        changed = [] if is_first else self._changed(asking, before)
        told = self._selector.advance(asking, body, before, changed)
        rooms = dict(before.rooms)
        parts, initial = self._rooms(asking, before, told, changed, rooms)
        self._add_counts(asking, parts, initial, rooms)
        gone = [room for room in parts if room not in rooms or rooms[room].membership != "join"]
        known = before.known
        if gone or initial:
            known = known.union(initial).difference(gone)
        extensions = self._extensions.answer(asking, _begun_anew(told, initial), known, is_first)
        now = replace(
            told,
            token=upto,
            rooms=rooms if rooms != before.rooms else before.rooms,
            known=known,
            extensions={name: had.difference(gone) for name, had in extensions.rooms.items()}
            if gone
            else extensions.rooms,
        )
        if gone:
            now = replace(now, standings={room: one for room, one in told.standings.items() if one.is_listed})
        if not is_first and not parts and not extensions.has_news:
            return None, now
        return self._assembled(asking.request.requester, now, pos, parts, extensions.fields), now

    def nothing(self, requester: Requester, told: Told, pos: str) -> bytes:
        """The answer where there is nothing to tell."""
        return self._assembled(requester, told, pos, {}, self._extensions.nothing(requester, told))

    def _rooms(
        self,
        asking: Asking,
        before: Told,
        told: Told,
        changed: Collection[RoomNid],
        rooms: dict[RoomNid, ToldRoom],
    ) -> tuple[dict[RoomNid, Parts], set[RoomNid]]:
        """(what is told of each room, those new to the client); `rooms` becomes what the client knows."""
        configs, standings, since = told.selection.configs, told.standings, asking.window.since
        due = dict.fromkeys(room for room in changed if room in configs)
        if told.selection is not before.selection:
            due.update(dict.fromkeys(room for room, config in configs.items() if _is_news(rooms.get(room), config)))
        moved, happened = told.standings is not before.standings, set(changed)
        for room in happened.union(before.rooms) if moved else changed:
            if room in rooms and room not in due:
                standing, known = standings.get(room), rooms[room]
                if standing is not None and standing.membership != known.membership:
                    due[room] = None  # that the user left, or was let in, is told whatever is asked for
                elif known.membership == "join" and not known.since and room in happened:
                    rooms[room] = replace(known, since=since)  # it goes on without the client
        parts: dict[RoomNid, Parts] = {}
        initial: set[RoomNid] = set()
        fresh = [room for room in due if room not in rooms]
        for start in range(0, len(fresh), ROOMS_AT_ONCE):
            self._preload(asking, told, fresh[start : start + ROOMS_AT_ONCE])
        for room in due:
            asking.pause()
            if room in standings:
                self._room(asking, told, room, rooms, parts, initial)
        if before.body is not None and told.direct != before.direct:
            for room in self._moved_direct(before, told, rooms):
                parts.setdefault(room, [])
        return parts, initial

    def _room(
        self,
        asking: Asking,
        told: Told,
        room: RoomNid,
        rooms: dict[RoomNid, ToldRoom],
        parts: dict[RoomNid, Parts],
        initial: set[RoomNid],
    ) -> None:
        known = rooms.get(room)
        config = told.selection.configs.get(room)
        if config is None:
            config = _UNASKED if known is None else RoomConfig(known.timeline_limit, known.required)
        answer = self._parts.of(asking, room, told.standings[room], config, known)
        if answer.told is None:
            rooms.pop(room, None)
        else:
            rooms[room] = answer.told
        if answer.parts is not None:
            parts[room] = answer.parts
        if answer.is_initial and answer.told is not None and answer.told.membership == "join":
            initial.add(room)

    def _add_counts(
        self,
        asking: Asking,
        parts: dict[RoomNid, Parts],
        initial: Collection[RoomNid],
        rooms: Mapping[RoomNid, ToldRoom],
    ) -> None:
        """Unread counts: of the rooms that are told, and of those that were read or counted afresh."""
        names = {
            room: named.room_id
            for room, named in self._graph.rooms.names(parts).items()
            if room in rooms and rooms[room].membership == "join"
        }
        fresh = {room: names[room] for room in names if room in initial}
        found = dict(self._counts.current(asking, fresh)) if fresh else {}
        if asking.window.since:
            news = self._counts.news(asking, {room: names[room] for room in names if room not in initial})
            found.update({room: fields for room, fields in news.items() if room not in fresh})
        for room, fields in found.items():
            if room in parts or (room in rooms and rooms[room].membership == "join" and not rooms[room].since):
                counts = fields["unread_notifications"]
                assert isinstance(counts, bytes)
                parts.setdefault(room, []).append(counts[1:-1])

    def _assembled(
        self,
        requester: Requester,
        told: Told,
        pos: str,
        parts: Mapping[RoomNid, Parts],
        extensions: Mapping[str, bytes],
    ) -> bytes:
        names = self._graph.rooms.names(parts)
        stamps = self._stamps_of(told, parts) if parts else {}
        rooms = []
        for room, given in parts.items():
            room_id = names[room].room_id
            is_dm = b',"is_dm":true' if room_id in told.direct else b',"is_dm":false'
            rest = b"".join(b",%b" % part for part in given)
            rooms.append(b'%b:{"bump_stamp":%d%b%b}' % (orjson.dumps(room_id), stamps.get(room, 0), is_dm, rest))
        lists = [b'%b:{"count":%d}' % (orjson.dumps(name), count) for name, count in told.selection.counts.items()]
        txn_id = told.body.txn_id if told.body is not None else None
        return b'{"pos":"%b"%b,"lists":{%b},"rooms":{%b},"extensions":{%b}}' % (
            pos.encode(),
            b"" if txn_id is None else b',"txn_id":' + orjson.dumps(txn_id),
            b",".join(lists),
            b",".join(rooms),
            b",".join(b'"%b":%b' % (name.encode(), value) for name, value in extensions.items()),
        )

    def _stamps_of(self, told: Told, rooms: Collection[RoomNid]) -> dict[RoomNid, int]:
        """Bump stamps: where the user is not in the room, that of their own membership."""
        here = [room for room in rooms if room not in told.standings or told.standings[room].membership == "join"]
        stamps = self._stamps.of(here)
        others = {room: told.standings[room].event_nid for room in rooms if room not in stamps}
        if others:
            for kind in (Kind.EVENT, Kind.OUT_OF_BAND):
                log = self._database.rows_in(
                    "SELECT reference, position FROM log WHERE reference IN ({}) AND kind = ?",
                    list(others.values()),
                    after=(int(kind),),
                )
                positions: dict[int, int] = dict(log)
                stamps.update({room: positions[nid] for room, nid in others.items() if nid in positions})
        return stamps

    def _changed(self, asking: Asking, before: Told) -> list[RoomNid]:
        """The rooms that the client knows, or may select, in which something happened in the window; oldest first."""
        window = asking.window
        if window.is_known:
            return list(reversed(window.user.rooms_since(window.since)))
        rows = self._database.rows_in(
            "SELECT subject, MAX(position) FROM log WHERE subject IN ({}) AND kind IN (1, 2) AND position > ? "
            "GROUP BY subject",
            list({*before.rooms, *before.standings, *window.user.joined}),
            after=(window.since,),
        )
        return [RoomNid(row[0]) for row in sorted(rows, key=lambda row: row[1])]

    def _preload(self, asking: Asking, told: Told, rooms: Collection[RoomNid]) -> None:
        """Read what new rooms need together."""
        by_limit: dict[int, list[RoomNid]] = {}
        for room in rooms:
            standing = told.standings.get(room)
            if standing is not None and standing.membership == "join":
                by_limit.setdefault(told.selection.configs.get(room, _UNASKED).timeline_limit, []).append(room)
        for limit, some in by_limit.items():
            self._parts.load(asking, some, limit)
        wanted: set[EventNid] = set()
        for room in rooms:
            asking.pause()
            standing = told.standings.get(room)
            if standing is not None:
                config = told.selection.configs.get(room, _UNASKED)
                wanted.update(self._parts.required_events(asking, room, standing, config))
        self._graph.events.by_nids(wanted)

    def _moved_direct(self, before: Told, told: Told, rooms: Collection[RoomNid]) -> list[RoomNid]:
        found = [self._graph.rooms.find(room_id) for room_id in before.direct ^ told.direct]  # type: ignore[arg-type]
        return [room.room_nid for room in found if room is not None and room.room_nid in rooms]


def _begun_anew(told: Told, rooms: Collection[RoomNid]) -> Told:
    """What the extensions go by: of rooms that begin anew, as after a rejoin, the client has forgotten all."""
    if not any(had.intersection(rooms) for had in told.extensions.values()):
        return told
    return replace(told, extensions={name: had.difference(rooms) for name, had in told.extensions.items()})


def _is_news(known: ToldRoom | None, config: RoomConfig) -> bool:
    """Whether a room that is asked for like this needs a look: it is new, was left behind, or is asked for more of."""
    if known is None or known.since:
        return True
    return config.timeline_limit > known.timeline_limit or not known.required.holds(config.required)
