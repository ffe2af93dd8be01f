"""History order: paging through what is visible, timelines of syncs, and where something is missing.

Timelines are in position order; paging is in history order, (local depth, nid). A token remembers the position up to
which its holder has been told, so that an event which arrived late, and was told of in a sync, is not shown again while
paging back, and one that is still to be told of is left to the sync. Backfilled history was never told of and always
shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InvalidParam
from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.graph.tips import TipReader
from core.ids import EventId, EventNid, Position, RoomNid
from core.storage.database import Database
from core.storage.edges import EdgeStore
from core.storage.events import EventStore, Flag
from core.storage.log import Kind, LogReader

DEEPEST = 2**62
"""Above every local depth."""
PAGES_PER_ANSWER = 20
"""How many further reads a page may take to make up for events it must leave out."""

_TOKEN = re.compile(r"t(-?\d{1,19})_(\d{1,19})_(\d{1,19})")


@dataclass(frozen=True, slots=True, order=True)
class HistoryToken:
    """A place between two events in history order: right below (going back) or above (forward) `depth`, `nid`."""

    depth: int
    nid: int
    position: Position
    """Live events past this position are not shown on the way back."""

    def __str__(self) -> str:
        return f"t{self.depth}_{self.nid}_{self.position}"

    @classmethod
    def parse(cls, text: str) -> HistoryToken:
        """Read a token. Raises InvalidParam."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            raise InvalidParam(f"{text!r} is no token of this server's room history; they look like t5_17_42.")
        return cls(int(found[1]), int(found[2]), Position(int(found[3])))


@dataclass(frozen=True, slots=True)
class Gap:
    """What comes before `event` is missing here: these events, and all that only they lead to."""

    event: StoredEvent
    missing: tuple[EventId, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order asked for. `end` continues, and is None at the end of what there is.

    `gap` is the nearest gap on the way, if there is any: the caller may fetch what is missing and ask again.
    """

    events: Sequence[StoredEvent]
    end: HistoryToken | None
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What became visible in a room, in position order. `limited` says that more was left out before the first.

    `prev_batch` pages back from the first event; `positions` has a position for each event.
    """

    events: Sequence[StoredEvent]
    positions: Sequence[Position]
    limited: bool
    prev_batch: HistoryToken


class History:
    """Reads events in order."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        edges: EdgeStore,
        log: LogReader,
        events: EventReader,
        tips: TipReader,
    ) -> None:
        self._database = database
        self._store = store
        self._edges = edges
        self._log = log
        self._events = events
        self._tips = tips

    def page(
        self, room: RoomNid, start: HistoryToken, backwards: bool, limit: int, upto: HistoryToken | None = None
    ) -> Page:
        """Up to `limit` visible events from `start` on, nearest first, not going past `upto`.

        Cost: a query, and the events; more queries where many events are newer than the token.
        """
        found: list[EventNid] = []
        depth, nid, last = start.depth, start.nid, False
        for _ in range(PAGES_PER_ANSWER):
            wanted = limit - len(found)
            rows = self._store.page(self._database, room, depth, nid, backwards, wanted + 1)
            last = len(rows) <= wanted
            rows = rows[:wanted]
            if upto is not None:
                kept = [row for row in rows if _is_before((row[1], row[0]), (upto.depth, upto.nid), backwards)]
                last, rows = last or len(kept) < len(rows), kept
            if rows:
                nid, depth = rows[-1][0], rows[-1][1]
                found += self._told(rows, start.position) if backwards else [row[0] for row in rows]
            if last or len(found) >= limit:
                break
        events = list(self._events.by_nids(found).values())
        end = None if last else HistoryToken(depth, nid, start.position)
        return Page(events, end, self._first_gap(self._passed(start, events) if backwards else events))

    def token_at(self, room: RoomNid, position: Position) -> HistoryToken:
        """The token from which paging back shows everything that was visible at `position`."""
        found = self._log.of_subject(Kind.EVENT, room, 0, position, 1, newest_first=True)
        if not found:
            return HistoryToken(DEEPEST, 0, position)
        newest = self._events.by_nids((EventNid(found[0][1]),)).get(EventNid(found[0][1]))
        return HistoryToken(DEEPEST if newest is None else newest.top_depth + 1, 0, position)

    def first_live(self, room: RoomNid) -> StoredEvent | None:
        """The first event of the room that was here at its time: its beginning, or what let this server in."""
        found = self._log.of_subject(Kind.EVENT, room, 0, self._log.tip(), 1)
        return self._events.by_nids((EventNid(found[0][1]),)).get(EventNid(found[0][1])) if found else None

    def start(self) -> HistoryToken:
        """The token below everything: paging forward from it begins with the oldest event."""
        return HistoryToken(-DEEPEST, 0, Position(0))

    def around(self, event: StoredEvent) -> tuple[HistoryToken, HistoryToken]:
        """The tokens from which to page back and forward from an event; neither shows the event itself."""
        token = HistoryToken(event.local_depth, event.nid, self._log.tip())
        return token, token

    def timeline(self, room: RoomNid, since: Position, upto: Position, limit: int) -> Timeline:
        """The newest `limit` events that became visible in (since, upto]; it begins anew at a gap, which limits it."""
        rows = self._log.of_subject(Kind.EVENT, room, since, upto, limit + 1, newest_first=True)
        limited, rows = len(rows) > limit, rows[:limit]
        rows.reverse()
        events = self._events.by_nids(EventNid(nid) for _, nid in rows)
        pairs = [(position, events[EventNid(nid)]) for position, nid in rows if nid in events]
        newest_gap = max((number for number, (_, event) in enumerate(pairs) if event.follows_gap), default=None)
        if newest_gap is not None:
            limited, pairs = True, pairs[newest_gap:]
        prev_batch = self.token_at(room, Position(pairs[0][0] - 1) if pairs else upto)
        return Timeline([event for _, event in pairs], [position for position, _ in pairs], limited, prev_batch)

    def gaps_of(self, events: Sequence[StoredEvent]) -> list[Gap]:
        """The gaps right before some of `events`, in their order."""
        missing = self._edges.gaps_of([event.nid for event in events if event.flags & Flag.GAP])
        return [Gap(event, tuple(missing[event.nid])) for event in events if event.nid in missing]

    def gaps_in(self, room: RoomNid) -> list[Gap]:
        """All gaps of a room: what a backfill should ask for."""
        missing: dict[EventNid, list[EventId]] = {}
        for nid, event_id in self._edges.gaps_in(room):
            missing.setdefault(nid, []).append(event_id)
        return [Gap(event, tuple(missing[nid])) for nid, event in self._events.by_nids(missing).items()]

    def rooms_with_holes(self, limit: int) -> list[RoomNid]:
        """Rooms in which something is missing between what is here, those with the newest gaps first."""
        return self._edges.rooms_with_holes(limit)

    def is_hole(self, gap: Gap) -> bool:
        """Whether there is older history below a gap; else it is where the history begins here."""
        event = gap.event
        below = self._store.page(self._database, event.room_nid, event.local_depth, event.nid, True, 1)
        return bool(below)

    def _told(self, rows: list[tuple[EventNid, int, int]], bound: Position) -> list[EventNid]:
        """Those of `rows` that were told of by `bound`, or never were since they are history."""
        if bound >= self._log.tip():  # which is read after the rows, so none of them is newer
            return [nid for nid, _, _ in rows]
        live = [nid for nid, _, flags in rows if not flags & Flag.BACKFILLED]
        positions = self._log.positions_of(Kind.EVENT, live)
        return [nid for nid, _, flags in rows if flags & Flag.BACKFILLED or positions.get(nid, 0) <= bound]

    def _passed(self, start: HistoryToken, events: Sequence[StoredEvent]) -> list[StoredEvent]:
        """The events of a page, going back, after the one right above it: what that lacks is missing from the page."""
        above = self._events.by_nids((EventNid(start.nid),)) if start.nid > 0 and start.depth < DEEPEST else {}
        return [*above.values(), *events]

    def _first_gap(self, events: Sequence[StoredEvent]) -> Gap | None:
        found = self.gaps_of(events)
        return found[0] if found else None


def _is_before(place: tuple[int, int], end: tuple[int, int], backwards: bool) -> bool:
    return place > end if backwards else place < end
