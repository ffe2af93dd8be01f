"""What lists are filtered by: a room's type, and whether it is encrypted. Read for many rooms at once, and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Any, NamedTuple

import orjson

from core.graph.graph import Graph
from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.log import Kind, Line

MAX_ROOMS = 100_000
"""Of so many rooms the facts are kept in memory."""


class Facts(NamedTuple):
    """A room's type, None for an ordinary room, whether it is encrypted, and its name, folded; '' without one."""

    room_type: str | None
    is_encrypted: bool
    name: str = ""


class RoomFacts:
    """Facts of current states. `follow` is a follower of the log."""

    followed = (Kind.STATE_DELTA,)
    """The kinds of lines it hears of."""

    def __init__(self, database: Database, graph: Graph) -> None:
        self._database = database
        self._graph = graph
        self._facts: OrderedDict[RoomNid, Facts] = OrderedDict()
        self._doubts = 0
        """Grows when facts that are just being looked up may be too old."""

    def follow(self, lines: list[Line]) -> None:
        """Where a state changed the facts are read again."""
        for line in lines:
            if line.kind is Kind.STATE_DELTA:
                self._doubts += 1
                self._facts.pop(RoomNid(line.subject), None)

    def of(self, rooms: Collection[RoomNid]) -> dict[RoomNid, Facts]:
        """The facts of rooms that have a state here. Cost: two queries for each hundred that is not in memory."""
        known = self._facts
        found = {room: known[room] for room in rooms if room in known}
        missing = [room for room in rooms if room not in found]
        if missing:
            doubts = self._doubts
            creates, encrypted = self._holders("m.room.create", missing), self._holders("m.room.encryption", missing)
            names = self._holders("m.room.name", missing)
            events = self._graph.events.by_nids([*creates.values(), *names.values()])
            for room, nid in creates.items():
                if nid in events:
                    named = events.get(names[room]) if room in names else None
                    name = folded_name({} if named is None else named.content)
                    found[room] = Facts(room_type_of(events[nid].content), room in encrypted, name)
                    if doubts == self._doubts:
                        self._facts[room] = found[room]
            while len(known) > MAX_ROOMS:
                known.popitem(last=False)
        return found

    def _holders(self, event_type: str, rooms: Collection[RoomNid]) -> dict[RoomNid, EventNid]:
        """The event that holds a type with an empty state key, by room."""
        type_nid, key_nid = self._graph.texts.find(event_type), self._graph.texts.find("")
        if type_nid is None or key_nid is None:
            return {}
        rows = self._database.rows_in(
            "SELECT room_nid, event_nid FROM current_state WHERE room_nid IN ({}) AND type_nid = ? "
            "AND state_key_nid = ? AND event_nid > 0",
            rooms,
            after=(type_nid, key_nid),
        )
        return dict(rows)


def facts_of_stripped(stripped_state: bytes) -> Facts | None:
    """The facts that the stripped state of an invite tells; None where it does not have the create event."""
    try:
        events = orjson.loads(stripped_state or b"[]")
    except orjson.JSONDecodeError:
        return None
    contents: dict[str, Any] = {
        event["type"]: event.get("content")
        for event in events
        if isinstance(event, dict) and isinstance(event.get("type"), str) and event.get("state_key") == ""
    }
    if "m.room.create" not in contents:
        return None
    name = folded_name(contents.get("m.room.name"))
    return Facts(room_type_of(contents["m.room.create"]), "m.room.encryption" in contents, name)


def room_type_of(content: Any) -> str | None:
    """The type that a create event's content gives the room."""
    found = content.get("type") if hasattr(content, "get") else None
    return found if isinstance(found, str) else None


def folded_name(content: Any) -> str:
    """The name that a name event's content gives the room, as searches compare it."""
    found = content.get("name") if hasattr(content, "get") else None
    return found.casefold() if isinstance(found, str) else ""
