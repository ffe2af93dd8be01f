"""The ledger of unread counts: follows the log in memory, answers for any user and room, and says what is to be written.

`advance` is the only way forward, under a lock, each line once; whoever asks for counts up to a position applies what
has gathered instead of waiting for somebody else to. See docs/decisions/0060.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence

from gevent.lock import RLock

from core.graph.graph import Graph
from core.ids import EventNid, Position, RoomNid, UserNid
from core.push.evaluating import Evaluator, Step
from core.push.ignoring import Ignoring
from core.push.joins import Joins
from core.push.unread import RoomSteps, Unread
from core.storage.log import Kind, Line
from core.storage.notification_counts import OWN_COUNTING, CountStore
from core.storage.progress import Progress
from core.storage.receipts import MAIN, UNTHREADED, ReceiptStore

STEPS_PER_ROOM = 64
"""So many steps of a room are kept in memory beyond those that are not written yet."""
MAX_ROOMS = 20_000
MAX_UNREAD = 200_000
"""Of so many pairs of user and room the counts are kept in memory."""
MAX_READERS = 50_000
"""Of so many users it is kept in which rooms they have read lately."""
MAX_REDACTIONS = 2_000
"""Of so many rooms it is kept when something was last redacted."""
LOAD_ATTEMPTS = 5

KINDS = (
    Kind.EVENT,
    Kind.STATE_DELTA,
    Kind.REDACTED,
    Kind.ACCOUNT_DATA,
    Kind.RECEIPT,
    Kind.PRIVATE_RECEIPT,
    Kind.PUSH_RULES,
)
Mark = tuple[UserNid, RoomNid, str]
WrittenMark = tuple[UserNid, RoomNid, str, int]


class Ledger:
    """One per process."""

    def __init__(
        self,
        graph: Graph,
        evaluator: Evaluator,
        joins: Joins,
        ignoring: Ignoring,
        receipts: ReceiptStore,
        store: CountStore,
    ) -> None:
        self._graph = graph
        self._evaluator = evaluator
        self._joins = joins
        self._ignoring = ignoring
        self._receipts = receipts
        self._store = store
        self.lock = RLock()
        self._progress = Progress(Position(0))
        self._rooms: OrderedDict[RoomNid, RoomSteps] = OrderedDict()
        self._unread: OrderedDict[tuple[UserNid, RoomNid], Unread] = OrderedDict()
        self._readers: OrderedDict[UserNid, dict[RoomNid, int]] = OrderedDict()
        self.readers_floor = Position(2**62)
        """What `read_since` knows begins here."""
        self._redacted_in: OrderedDict[RoomNid, int] = OrderedDict()
        self._changes = 0
        self.written = Position(0)
        """Up to here the database has what the ledger knows."""
        self.steps: deque[Step] = deque()
        """What is to be written, oldest first."""
        self.marks: dict[Mark, int] = {}
        self.redacted: dict[EventNid, int] = {}
        self.readers: dict[UserNid, int] = {}
        """Who has read something."""

    @property
    def position(self) -> Position:
        """Up to where the log has been followed."""
        return self._progress.position

    def begin(self, position: Position) -> None:
        """What lies up to `position` is in the database."""
        self.written = max(self.written, position)
        self.readers_floor = position
        self._progress.reach(position)

    def advance(self, lines: Sequence[Line], upto: int | None = None) -> None:
        """Follow lines, those known already left out; then everything up to `upto`, or the last line, is followed."""
        with self.lock:
            fresh = [line for line in lines if line.position > self.position and line.kind in KINDS]
            events = self._graph.events.by_nids([EventNid(line.reference) for line in fresh if line.kind is Kind.EVENT])
            receipts = [line for line in fresh if line.kind in (Kind.RECEIPT, Kind.PRIVATE_RECEIPT)]
            if receipts:
                self._follow_receipts(receipts)
            for line in fresh:
                if line.kind is Kind.EVENT:
                    stored = events.get(EventNid(line.reference))
                    if stored is not None:
                        self._add(self._evaluator.step(stored, line.position))
                else:
                    self._follow(line)
            self._progress.reach(Position(max(upto or 0, lines[-1].position if lines else 0)))

    def pass_over(self, position: Position) -> None:
        """Nothing up to `position` is of a kind to be followed, and everything before has been followed."""
        self._progress.reach(position)

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Wait until the log has been followed up to `position`; whether it was, in that time."""
        return self._progress.wait_for(position, timeout_s)

    def unread(self, user: UserNid, rooms: Collection[RoomNid]) -> dict[RoomNid, Unread]:
        """The counts of a user in some rooms. Cost: nothing but new steps where they are in memory."""
        found: dict[RoomNid, Unread] = {}
        missing: list[RoomNid] = []
        for room in rooms:
            known = self._unread.get((user, room))
            if known is not None and self._is_sound(room, known):
                known.follow(user, _since(known.room.steps, known.upto))
                found[room] = known
            else:
                missing.append(room)
        if missing:
            found.update(self._load(user, missing))
        return found

    def read_since(self, user: UserNid, since: int, upto: int, from_memory: bool = True) -> Collection[RoomNid]:
        """The rooms in which a receipt of the user moved in the positions (since, upto]."""
        if since < self.readers_floor or not from_memory:
            return self._store.read_in(user, since, upto)
        return [room for room, position in self._readers.get(user, {}).items() if position > since]

    def redacted_since(self, since: int) -> list[RoomNid]:
        """The rooms in which something was redacted after a position, as far as memory goes back."""
        found = []
        for room in reversed(self._redacted_in):
            if self._redacted_in[room] <= since:
                break
            found.append(room)
        return found

    def forget_room(self, room: RoomNid) -> None:
        """Rows of a room were taken away, as a purge does: what is kept of its counts is read again."""
        if room in self._rooms:
            self._rooms[room].revision += 1
        self._changes += 1

    def wrote(self, upto: Position, steps: int, marks: Collection[WrittenMark] = ()) -> None:
        """Everything up to `upto` has been committed, `steps` steps and some marks among it."""
        for _ in range(steps):
            self.steps.popleft()
        self.written = max(self.written, upto)
        for (
            user,
            room,
            thread,
            position,
        ) in marks:  # just these: another may have come at the very end of what was written
            if self.marks.get((user, room, thread)) == position:
                del self.marks[user, room, thread]
        self.redacted = {event: position for event, position in self.redacted.items() if position > upto}
        self.readers = {user: position for user, position in self.readers.items() if position > upto}
        self._evaluator.wrote(upto)

    def _follow(self, line: Line) -> None:
        if line.kind is Kind.STATE_DELTA:
            self._follow_delta(line)
        elif line.kind is Kind.REDACTED:
            self._redact(RoomNid(line.subject), EventNid(line.reference), line.position)
        elif line.kind is Kind.ACCOUNT_DATA:
            self._ignoring.changed(UserNid(line.subject))
        elif line.kind is Kind.PUSH_RULES:
            self._evaluator.forget_rules()

    def _follow_delta(self, line: Line) -> None:
        room = RoomNid(line.subject)
        moved = self._joins.of(line.reference)
        if not moved:
            return
        self._evaluator.forget_room(room)
        for user, is_join in moved:
            if is_join:
                self.marks[user, room, UNTHREADED] = line.position
            self._drop(user, room)

    def _follow_receipts(self, lines: Sequence[Line]) -> None:
        found = self._receipts.by_nids([line.reference for line in lines])
        for line in lines:
            receipt = found.get(line.reference)
            if receipt is None or not self._evaluator.is_local(self._graph.texts.text(receipt.user_nid)):
                continue
            self._drop(receipt.user_nid, receipt.room_nid)
            self.readers[receipt.user_nid] = line.position
            rooms = self._readers.pop(receipt.user_nid, {})
            rooms[receipt.room_nid] = line.position
            self._readers[receipt.user_nid] = rooms
        while len(self._readers) > MAX_READERS:
            _, dropped = self._readers.popitem(last=False)
            self.readers_floor = max(self.readers_floor, Position(max(dropped.values())))

    def _add(self, step: Step) -> None:
        if step.is_empty:
            return
        self.steps.append(step)
        if step.marks_read:
            self.marks[UserNid(step.sender_nid), step.room_nid, step.thread] = step.position
        for user in step.switched:
            self.marks[user, step.room_nid, OWN_COUNTING] = step.position - 1
        room = self._room(step.room_nid)
        room.steps.append(step)
        while len(room.steps) > STEPS_PER_ROOM and room.steps[0].position <= self.written:
            room.floor = room.steps.popleft().position

    def _room(self, room_nid: RoomNid) -> RoomSteps:
        room = self._rooms.get(room_nid)
        if room is None:
            room = self._rooms[room_nid] = RoomSteps()
            if len(self._rooms) > MAX_ROOMS:
                oldest = next(iter(self._rooms))
                steps = self._rooms[oldest].steps
                if steps and steps[-1].position > self.written:
                    self._rooms.move_to_end(oldest)
                else:
                    del self._rooms[oldest]
        return room

    def _redact(self, room_nid: RoomNid, event: EventNid, position: Position) -> None:
        room = self._room(room_nid)
        room.revision += 1
        self._changes += 1
        self.redacted[event] = position
        self._redacted_in.pop(room_nid, None)
        self._redacted_in[room_nid] = position
        if len(self._redacted_in) > MAX_REDACTIONS:
            self._redacted_in.popitem(last=False)
        for step in room.steps:
            if step.event_nid == event:
                step.forget()

    def _drop(self, user: UserNid, room: RoomNid) -> None:
        self._changes += 1
        self._unread.pop((user, room), None)

    def _is_sound(self, room: RoomNid, unread: Unread) -> bool:
        known = unread.room
        return self._rooms.get(room) is known and unread.revision == known.revision and unread.upto >= known.floor

    def _load(self, user: UserNid, rooms: Collection[RoomNid]) -> dict[RoomNid, Unread]:
        """Counts from the database, followed up to now."""
        for _ in range(LOAD_ATTEMPTS):
            changes, upto = self._changes, self.written
            found = {room: self._blank(room, upto) for room in rooms}
            self._read_marks(user, found)
            self._read_rows(user, found, upto)
            is_whole = changes == self._changes and all(one.room.floor <= upto for one in found.values())
            for room, unread in found.items():
                unread.follow(user, unread.room.steps)
                if is_whole:
                    self._unread[user, room] = unread
            if is_whole:
                break
        while len(self._unread) > MAX_UNREAD:
            self._unread.popitem(last=False)
        return found

    def _blank(self, room_nid: RoomNid, upto: int) -> Unread:
        room = self._room(room_nid)
        return Unread(room, room.revision, upto, {}, False, {})

    def _read_marks(self, user: UserNid, found: dict[RoomNid, Unread]) -> None:
        # looked at first: what is written while the database answers may be in neither afterwards
        joined = {room: self.marks.get((user, room, UNTHREADED)) for room in found}
        for room, thread, position in self._store.marks_of(user, list(found)):
            found[room].reads[thread] = position
        for room, mark in joined.items():
            if mark is not None:
                found[room].reads[UNTHREADED] = mark
        for room, by_thread in self._receipts.latest_in_rooms(user, list(found)).items():
            reads = found[room].reads
            for thread, receipt in by_thread.items():
                reads[thread] = max(reads.get(thread, 0), receipt.event_position)

    def _read_rows(self, user: UserNid, found: dict[RoomNid, Unread], upto: int) -> None:
        gone = list(self.redacted)
        in_main: dict[RoomNid, tuple[int, int]] = {}
        in_threads: dict[RoomNid, tuple[int, int]] = {}
        for room, unread in found.items():
            own_since = unread.reads.pop(OWN_COUNTING, upto + 1)  # one that is newer than `upto` comes with its step
            unread.is_own = own_since <= upto
            common_upto = min(own_since, upto)
            for thread, ranges in ((MAIN, in_main), (UNTHREADED, in_threads)):
                since = unread.read_upto(thread)
                if since < common_upto:
                    ranges[room] = (since, common_upto)
        for room, sums in self._store.main_sums(user, in_main, gone).items():
            found[room].threads[MAIN] = sums
        for room, thread, position, highlight in self._store.in_threads(user, in_threads, gone):
            found[room].count(thread, (1, highlight), position)
        for room, thread, position, notify, highlight in self._store.of_user(user, list(found), upto, gone):
            found[room].count(thread, (notify, highlight), position)


def _since(steps: deque[Step], position: int) -> list[Step]:
    """The steps after a position, oldest first; cost: as many as there are."""
    found: list[Step] = []
    for step in reversed(steps):
        if step.position <= position:
            break
        found.append(step)
    found.reverse()
    return found
