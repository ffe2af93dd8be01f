"""The answer to a sync, assembled: rooms and sections into one JSON object, as bytes.

Nothing here knows what the sections are about; see core.sync.sections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from core.graph.graph import Graph
from core.ids import Requester, RoomId, RoomNid
from core.sync.asking import Asking
from core.sync.room_contents import RoomPart
from core.sync.room_lists import RoomLister
from core.sync.sections import Fields, RoomSection, Section
from core.sync.timelines import end_at

_EMPTY_EVENTS = b'{"events":[]}'
_ALWAYS: Mapping[str, bytes] = {"ephemeral": _EMPTY_EVENTS, "account_data": _EMPTY_EVENTS, "summary": b"{}"}
"""Keys of a joined room that some clients do not expect to be missing."""


class Assembler:
    """Makes answers. `always` gives fields that each answer to a requester has; it is asked from memory."""

    def __init__(
        self,
        graph: Graph,
        lister: RoomLister,
        sections: Sequence[Section],
        room_sections: Sequence[RoomSection],
        always: Callable[[Requester], Mapping[str, bytes]] = lambda requester: {},
    ) -> None:
        self._graph = graph
        self._lister = lister
        self._sections = sections
        self._room_sections = room_sections
        self._always = always

    def answer(self, asking: Asking, next_batch: str) -> bytes | None:
        """The answer, or None where there is nothing to tell."""
        lists = self._lister.all(asking) if asking.is_initial else self._lister.changed(asking)
        joined = self._with_sections(asking, lists.joined)
        rooms: dict[str, bytes] = {}
        if joined:
            rooms["join"] = _object((room_id, _fields([_ALWAYS, *parts])) for room_id, parts in joined.items())
        if lists.invited:
            rooms["invite"] = _object(lists.invited.items())
        if lists.knocked:
            rooms["knock"] = _object(lists.knocked.items())
        if lists.left:
            left = {part.room_nid: part.room_id for part in lists.left}
            data = self._of_left(asking, left)
            rooms["leave"] = _object(
                (part.room_id, _fields([part.fields, *data.get(part.room_nid, ())])) for part in lists.left
            )
        found = [section.current(asking) if asking.is_initial else section.news(asking) for section in self._sections]
        top = [fields for fields in found if fields]
        if not rooms and not top and not asking.is_initial:
            return None
        fixed: Fields = {"next_batch": orjson.dumps(next_batch), "rooms": _object(rooms.items())}
        return _fields([fixed, self._always(asking.request.requester), *top])

    def nothing(self, requester: Requester, next_batch: str) -> bytes:
        """The answer where there is nothing to tell: what every answer has, from memory."""
        always = self._always(requester)
        if not always:
            return b'{"next_batch":"%b"}' % next_batch.encode()
        return _object((("next_batch", b'"%b"' % next_batch.encode()), *always.items()))

    def _with_sections(self, asking: Asking, parts: Sequence[RoomPart]) -> dict[RoomId, list[Fields]]:
        joined = {part.room_id: [part.fields] for part in parts}
        fresh = {part.room_nid: part.room_id for part in parts if part.is_new}
        known = {part.room_nid: part.room_id for part in parts if not part.is_new}
        for section in self._room_sections:
            if fresh:
                for nid, fields in section.current(asking, fresh).items():
                    joined[fresh[nid]].append(fields)
            if asking.is_initial:
                continue
            for nid, fields in section.news(asking, known).items():
                if nid in fresh:
                    continue
                room_id = known.get(nid) or self._other(asking, nid)
                if room_id is not None:
                    if nid not in known:
                        joined[room_id] = [_bare(asking)]
                        known[nid] = room_id
                    joined[room_id].append(fields)
        return joined

    def _other(self, asking: Asking, room: RoomNid) -> RoomId | None:
        """A room of which only a section has news, if the user is in it and wants to know."""
        if room not in asking.window.user.joined:
            return None
        room_id = self._graph.rooms.name(room).room_id
        return room_id if asking.filter.room.wants_room(room_id) else None

    def _of_left(self, asking: Asking, rooms: Mapping[RoomNid, RoomId]) -> dict[RoomNid, list[Fields]]:
        """Account data of rooms the user left; the other sections are about rooms they are in."""
        found: dict[RoomNid, list[Fields]] = {}
        for section in self._room_sections:
            for nid, fields in section.current(asking, rooms).items():
                if "account_data" in fields:
                    found.setdefault(nid, []).append({"account_data": fields["account_data"]})
        return found


def _bare(asking: Asking) -> Fields:
    """The timeline and state of a room of which only sections have news."""
    return {
        "timeline": b'{"events":[],"limited":false,"prev_batch":"%b"}' % str(end_at(asking.window.upto)).encode(),
        asking.request.state_key: _EMPTY_EVENTS,
    }


def _fields(parts: Iterable[Fields]) -> bytes:
    """One object of several parts: event lists come together, of other values the last counts."""
    values: dict[str, bytes] = {}
    events: dict[str, list[bytes]] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, bytes):
                values[key] = value
            else:
                events.setdefault(key, []).extend(value)
    for key, listed in events.items():
        values[key] = b'{"events":[%b]}' % b",".join(listed)
    return _object(values.items())


def _object(items: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (orjson.dumps(key), value) for key, value in items)
