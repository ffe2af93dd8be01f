"""The timeline of one room in one sync: the newest events that became visible in a range of positions.

Reads lines newest first and stops as soon as it has enough. What the asker may not or does not want to see is left out
before the limit is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from core.graph.caches import ByteCache
from core.graph.events import EventReader
from core.graph.history import DEEPEST, HistoryToken
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, Position, RoomNid
from core.storage.log import Kind, LogReader
from core.sync.recent_lines import RecentLines

LINES_PER_TIMELINE = 500
"""So many lines are looked at for one timeline; where that finds too few events, it is limited to those."""
_FIRST_EXTRA = 3
AHEAD_BYTES = 2 * 1024 * 1024
"""How much of what was read ahead is kept until it is used."""

Accepts = Callable[[Sequence[StoredEvent]], Sequence[StoredEvent]]
"""Those of some events of a room that belong in the timeline, in order."""
Hides = Callable[[StoredEvent], bool]
"""Whether a state event must be kept from the asker, so that a timeline across it would lead to a wrong state."""


@dataclass(frozen=True, slots=True)
class RoomTimeline:
    """Events in position order. `limited` says that more was left out before the first."""

    events: Sequence[StoredEvent]
    limited: bool
    prev_batch: HistoryToken


class Timelines:
    """Reads timelines, from the notifier's memory where that reaches back far enough."""

    def __init__(self, recent: RecentLines, log: LogReader, events: EventReader) -> None:
        self._recent = recent
        self._log = log
        self._events = events
        self._ahead: ByteCache[tuple[RoomNid, int, int], list[tuple[Position, int]]] = ByteCache(AHEAD_BYTES)

    def load(self, rooms: Collection[RoomNid], upto: int, limit: int) -> list[StoredEvent]:
        """Read ahead what `read` will ask for from the beginning up to a position, for many rooms; their events."""
        size = limit + _FIRST_EXTRA
        found = self._log.newest_of_subjects(Kind.EVENT, rooms, upto, size)
        for room, lines in found.items():
            self._ahead.put((RoomNid(room), upto, size), lines, 200 + 100 * len(lines))
        return list(self._events.by_nids(EventNid(nid) for lines in found.values() for _, nid in lines).values())

    def read(
        self,
        room: RoomNid,
        since: int,
        upto: int,
        limit: int,
        accepts: Accepts,
        oldest_index: int = 0,
        hides: Hides = lambda stored: False,
    ) -> RoomTimeline:
        """The newest `limit` accepted events with positions in (since, upto]; it begins anew after a gap, or what it `hides`.

        Events from before the room's main line had `oldest_index` are not looked at, and limit the timeline.
        """
        kept: list[tuple[int, StoredEvent]] = []
        looked_at, limited, before = 0, False, None
        for chunk in self._chunks(room, since, upto, limit + _FIRST_EXTRA):
            looked_at += len(chunk)
            accepted = {stored.nid for stored in accepts([stored for _, stored in reversed(chunk)])}
            for position, stored in chunk:
                if len(kept) >= limit:
                    before = before or stored
                    limited = limited or stored.nid in accepted
                elif stored.nid in accepted:
                    kept.append((position, stored))
                elif kept and stored.is_state and hides(stored):
                    limited = True
                if stored.follows_gap or stored.main_index < oldest_index:
                    limited = True
                if limited:
                    break
            if limited or looked_at > LINES_PER_TIMELINE:
                limited = True
                break
        kept.reverse()
        return RoomTimeline([stored for _, stored in kept], limited, self._prev_batch(kept, before, upto))

    def _prev_batch(self, kept: list[tuple[int, StoredEvent]], before: StoredEvent | None, upto: int) -> HistoryToken:
        """From where to page back. Any depth is right that lies above all that came before; the nearest is cheapest."""
        if not kept:
            return end_at(upto)
        position, first = kept[0]
        depth = first.top_depth if before is None else before.top_depth
        return HistoryToken(min(depth + 1, DEEPEST), 0, Position(position - 1))

    def _chunks(self, room: RoomNid, since: int, upto: int, size: int) -> Iterator[list[tuple[int, StoredEvent]]]:
        """Lists of (position, event), newest first, until there are no more."""
        recent = self._recent.newest_first(room, since, upto)
        if recent is not None:
            rows = [(position, EventNid(nid)) for position, kind, nid in recent if kind is Kind.EVENT]
            if rows:
                yield self._loaded(rows)
            return
        while True:
            found = self._lines(room, since, upto, size)
            if found:
                yield self._loaded([(position, EventNid(nid)) for position, nid in found])
            if len(found) < size:
                return
            upto = found[-1][0] - 1
            size = min(size * 2, 200)

    def _lines(self, room: RoomNid, since: int, upto: int, size: int) -> list[tuple[Position, int]]:
        ahead = self._ahead.get((room, upto, size)) if since == 0 else None
        if ahead is None:
            return self._log.of_subject(Kind.EVENT, room, since, upto, size, newest_first=True)
        self._ahead.drop((room, upto, size))
        return ahead

    def _loaded(
        self, rows: list[tuple[Position, EventNid]] | list[tuple[int, EventNid]]
    ) -> list[tuple[int, StoredEvent]]:
        events = self._events.by_nids(nid for _, nid in rows)
        return [(position, events[nid]) for position, nid in rows if nid in events]


def end_at(position: int) -> HistoryToken:
    """From where to page back through all that was told up to a position; it costs nothing to make."""
    return HistoryToken(DEEPEST, 0, Position(position))
