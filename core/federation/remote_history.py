"""The history of rooms that is missing here: fetched while somebody pages to it, and in the background after a gap.

Implements core.rooms' RemoteHistory. Servers of the room are asked in turn, first that of whoever sent the event behind
the gap. A room for which nobody had anything is left alone for a little while.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Signal

from core.errors import MatrixError
from core.federation.backfill import PATIENCE, Backfill
from core.federation.calls import GraphCalls
from core.federation.participation import Participation
from core.graph.graph import Graph
from core.graph.history import Gap
from core.ids import EventId, RoomNid, ServerName, server_of
from core.storage.rooms import RoomName
from core.storage.wanted_history import WantedHistoryStore

SERVERS_ASKED = 5
WAIT_SECONDS = 10.0
"""How long somebody who pages is kept waiting; what is under way goes on without them."""
PEACE_SECONDS = 5.0
"""How long a room that was just joined, or has a new gap, is left to whoever pages before the background sets to it."""
REST_SECONDS = 15.0
"""How long a room is left alone for which nobody had anything."""
MOST_ATTEMPTS = 5
"""How often the background tries a room again for which nobody had anything."""
BUDGET_PER_ROOM = 1_000
"""How many events are fetched in the background, until somebody pages further."""
ROOMS_AT_ONCE = 2
MOST_WAITING = 5_000
"""How many rooms wait for the background; of more the oldest are left to whoever pages."""
ROOMS_AT_START = 200
REFUSED_KEPT = 2_000
"""How many events are remembered that nobody had."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Wanted:
    """A room for the background: whether more than holes is wanted of it, and when on the clock it is its turn.

    Where nobody answers it gets another turn, after ever longer pauses.
    """

    is_deep: bool
    at: float
    attempts: int = 0


class FederatedHistory:
    """Fetches; `start` begins the background work, `stop` ends it."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        backfill: Backfill,
        calls: GraphCalls,
        wanted: WantedHistoryStore,
        own: ServerName,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._backfill = backfill
        self._calls = calls
        self._wanted = wanted
        self._own = own
        self._clock = clock
        self._rounds: dict[RoomNid, AsyncResult[bool]] = {}
        self._resting: dict[RoomNid, float] = {}
        self._nowhere: OrderedDict[EventId, float] = OrderedDict()
        self._waiting: OrderedDict[RoomNid, _Wanted] = OrderedDict()
        """Rooms for the background."""
        self._entered: set[RoomNid] = set()
        """Rooms that are on record as wanted."""
        self._has_work = Signal()
        self._workers: list[gevent.Greenlet] = []

    def start(self) -> None:
        """Take up the newest holes that are there, rooms that were entered before the last stop, and those to come."""
        for room in self._graph.history.rooms_with_holes(ROOMS_AT_START):
            self._waiting[room] = _Wanted(False, 0.0)
        self._entered = set(self._wanted.rooms())
        for room in self._entered:
            self._waiting[room] = _Wanted(True, 0.0)
        self._has_work.set()
        self._workers = [gevent.spawn(self._run) for _ in range(ROOMS_AT_ONCE)]

    def stop(self) -> None:
        """Leave the rest for another time."""
        gevent.killall(self._workers)

    def soon(self, room: RoomName) -> None:
        """See RemoteHistory."""
        self._put(room, is_deep=True)

    def entered(self, room: RoomName) -> None:
        """As `soon`, of a room that this server has just come into; it is on record when this returns."""
        self._wanted.add(room.room_nid)
        self._entered.add(room.room_nid)
        self._put(room, is_deep=True)

    def mend(self, room: RoomName) -> None:
        """Fetch in the background what is missing between what is here, and no older history. Does not wait."""
        self._put(room, is_deep=False)

    def _put(self, room: RoomName, is_deep: bool) -> None:
        self._resting.pop(room.room_nid, None)
        before = self._waiting.get(room.room_nid)
        if before is None:
            self._waiting[room.room_nid] = _Wanted(is_deep, self._clock() + PEACE_SECONDS)
        else:
            before.is_deep = before.is_deep or is_deep
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._has_work.set()

    def fill(self, room: RoomName, gap: Gap) -> bool:
        """See RemoteHistory."""
        if self._is_resting(room.room_nid):
            return False
        with gevent.Timeout(WAIT_SECONDS, False):
            return bool(self._round(room, gap).get())
        return False

    def bring(self, room: RoomName, event_id: EventId) -> bool:
        """See RemoteHistory."""
        now = self._clock()
        if self._nowhere.get(event_id, 0) > now:
            return False
        with gevent.Timeout(WAIT_SECONDS, False):
            for server in self._servers(room, None):
                try:
                    if self._backfill.one(server, room, event_id):
                        return True
                except MatrixError as error:
                    logger.info("%s has no %s for us: %s", server, event_id, error.sentence)
        self._nowhere[event_id] = now + REST_SECONDS
        if len(self._nowhere) > REFUSED_KEPT:
            self._nowhere.popitem(last=False)
        return False

    def near(self, room: RoomName, ts: int, backwards: bool) -> tuple[EventId, int] | None:
        """See RemoteHistory."""
        with gevent.Timeout(WAIT_SECONDS, False):
            for server in self._servers(room, None):
                try:
                    found = self._calls.event_near(server, room.room_id, ts, backwards, PATIENCE)
                except MatrixError as error:
                    logger.info("%s knows no event of room %s near %d: %s", server, room.room_id, ts, error.sentence)
                else:
                    if found[1] <= ts if backwards else found[1] >= ts:
                        return found
        return None

    def _round(self, room: RoomName, gap: Gap) -> AsyncResult[bool]:
        """One batch of a room, shared by all who wait for one."""
        found = self._rounds.get(room.room_nid)
        if found is None:
            found = self._rounds[room.room_nid] = AsyncResult()
            gevent.spawn(self._ask, room, gap, found)
        return found

    def _ask(self, room: RoomName, gap: Gap, answer: AsyncResult[bool]) -> None:
        came = False
        try:
            came = any(self._has_more(server, room, gap) for server in self._servers(room, gap))
            if not came:
                self._resting[room.room_nid] = self._clock() + REST_SECONDS
        except Exception:
            logger.exception("The history of room %s could not be fetched.", room.room_id)
        finally:
            del self._rounds[room.room_nid]
            answer.set(came)

    def _has_more(self, server: ServerName, room: RoomName, gap: Gap) -> bool:
        try:
            return self._backfill.before(server, room, gap) > 0
        except MatrixError as error:
            logger.info("%s tells no history of room %s: %s", server, room.room_id, error.sentence)
            return False

    def _servers(self, room: RoomName, gap: Gap | None) -> list[ServerName]:
        """Whom to ask, in this order; nobody for rooms that we are not in."""
        residents = self._participation.servers(room)
        if self._own not in residents:
            return []
        first = [] if gap is None else [server_of(gap.event.sender), server_of(room.room_id)]
        usable = [one for one in dict.fromkeys([*first, *residents]) if one != self._own and one in residents]
        return usable[:SERVERS_ASKED]

    def _is_resting(self, room: RoomNid) -> bool:
        until = self._resting.get(room)
        if until is not None and until <= self._clock():
            del self._resting[room]
            return False
        return until is not None

    def _run(self) -> None:
        while True:
            room, pause_s = self._next()
            if room is None:
                self._has_work.clear()
                self._has_work.wait(pause_s)
                continue
            wanted = self._waiting.pop(room)
            try:
                self._work_off(self._graph.rooms.name(room), wanted.is_deep)
            except Exception:
                logger.exception("The history of room %d could not be fetched.", room)
            if self._is_resting(room) and room not in self._waiting and wanted.attempts < MOST_ATTEMPTS:
                pause = REST_SECONDS * 2**wanted.attempts
                self._waiting[room] = _Wanted(wanted.is_deep, self._clock() + pause, wanted.attempts + 1)
            elif wanted.is_deep and room in self._entered:
                self._entered.discard(room)
                self._wanted.remove(room)

    def _next(self) -> tuple[RoomNid | None, float | None]:
        """The newest room whose time has come; else in how many seconds to look again, None for when there is news."""
        now = self._clock()
        for room in reversed(self._waiting):
            if self._waiting[room].at <= now:
                return room, None
        return None, min((wanted.at - now for wanted in self._waiting.values()), default=None)

    def _work_off(self, room: RoomName, is_deep: bool) -> None:
        """Fetch what is missing, the newest first, until nothing is, nobody has it, or the budget is spent.

        Without `is_deep` history is not made longer: it may have been purged.
        """
        for _ in range(BUDGET_PER_ROOM // 100):
            gaps = self._graph.history.gaps_in(room.room_nid)
            if not is_deep:
                gaps = [gap for gap in gaps if self._graph.history.is_hole(gap)]
            if not gaps or self._is_resting(room.room_nid):
                return
            newest = max(gaps, key=lambda gap: (gap.event.local_depth, gap.event.nid))
            self._round(room, newest).get()
