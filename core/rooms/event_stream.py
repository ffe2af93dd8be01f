"""The event stream from before `/sync`: new events of one's rooms, or of one room that may be read by anybody.

Kept for clients that peek and for old ones. It speaks of room events only, reads the log from the position in the token,
and waits on the log's tail. Spec: Client-Server API, GET /events and "Room Previews".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.errors import InvalidParam
from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, Position, Requester, RoomId, RoomNid, UserId, UserNid
from core.rooms.access import RoomAccess, viewer_of
from core.storage.log import Kind, LogReader, LogTail

EVENTS_PER_ANSWER = 100
LINES_AT_ONCE = 500
READS = 20
"""How many batches of lines one answer looks through."""
LONGEST_WAIT_SECONDS = 180.0
_GLANCE_SECONDS = 1.0
"""How often a waiting request looks whether the server is stopping."""
_TOKEN = re.compile(r"s(\d{1,18})(?:_\d{1,18}\.\d{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class StreamPart:
    """Rendered events, the tokens around them, and for how many seconds nothing was done but wait."""

    events: Sequence[bytes]
    start: str
    end: str
    waited_s: float


class EventStream:
    """Reads the stream. One per server."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        client_events: ClientEvents,
        log: LogReader,
        tail: LogTail,
        ignored_by: Callable[[UserNid], Collection[UserId]],
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._client_events = client_events
        self._log = log
        self._tail = tail
        self._ignored_by = ignored_by
        self._is_stopping = False

    def stop_waiting(self) -> None:
        """Let all waiting requests answer with what there is."""
        self._is_stopping = True

    def token(self) -> str:
        """The token of now."""
        return _token(self._tail.position)

    def read(self, requester: Requester, start: str | None, timeout_s: float, room_id: RoomId | None) -> StreamPart:
        """New events after `start`, or after now, once there are any or the time is up.

        Raises InvalidParam for a token of something else, Forbidden for a room the requester may not read.
        """
        since = self._tail.position if start is None else _position(start)
        first = since
        room = None if room_id is None else self._access.sight(requester, room_id).room.room_nid
        deadline = time.monotonic() + min(timeout_s, LONGEST_WAIT_SECONDS)
        waited = 0.0
        while True:
            events, since = self._news(requester, since, room)
            remaining = deadline - time.monotonic()
            if events or remaining <= 0 or self._is_stopping:
                return StreamPart(events, _token(first), _token(since), waited)
            before = time.monotonic()
            self._tail.wait_for(since + 1, min(remaining, _GLANCE_SECONDS))
            waited += time.monotonic() - before

    def _news(self, requester: Requester, since: Position, room: RoomNid | None) -> tuple[list[bytes], Position]:
        """(what is new after `since`, up to where that was looked for)."""
        rendered: list[bytes] = []
        rooms = None
        for _ in range(READS):
            upto = self._tail.position
            if since >= upto or len(rendered) >= EVENTS_PER_ANSWER:
                break
            if room is None:
                rooms = rooms or {one.room_nid for one in self._graph.memberships.rooms_of(requester.user_nid)}
                lines = self._log.lines(since, upto, (Kind.EVENT,), LINES_AT_ONCE)
                rows = [(line.position, line.reference) for line in lines]
            else:
                rows = self._log.of_subject(Kind.EVENT, room, since, upto, EVENTS_PER_ANSWER)
            full = LINES_AT_ONCE if room is None else EVENTS_PER_ANSWER
            since = rows[-1][0] if len(rows) == full else upto
            events = self._graph.events.by_nids(EventNid(nid) for _, nid in rows)
            rendered += self._shown(requester, list(events.values()), rooms)
        return rendered, since

    def _shown(
        self, requester: Requester, events: Sequence[StoredEvent], rooms: Collection[RoomNid] | None
    ) -> list[bytes]:
        ignored, viewer = self._ignored_by(requester.user_nid), viewer_of(requester)
        shown = []
        for stored in events:
            is_own = stored.type == "m.room.member" and stored.state_key == requester.user_id
            is_ignored = stored.sender in ignored and (is_own or not stored.is_state)
            if is_ignored or (rooms is not None and stored.room_nid not in rooms and not is_own):
                continue
            if is_own or self._viewing.may_see(stored, requester.user_nid, requester.user_id):
                shown += self._client_events.render((stored,), viewer, is_bundled=False)
        return shown


def _token(position: int) -> str:
    return f"s{position}_0.0"


def _position(text: str) -> Position:
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise InvalidParam(
            f"'from' is {text[:100]!r}; it must be the 'end' of an earlier answer or of an initial sync."
        )
    return Position(int(found[1]))
