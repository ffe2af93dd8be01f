"""Purge: history before an event goes, and everything that remains still has its state.

What is kept of the past is what the rest rests on: the states before the events that stay, and their auth chains, as
outliers. A purge goes in three kinds of steps, each of which leaves a room that works; one that was interrupted is
remembered and taken up again:

1. events lose their place and become outliers, some hundreds at a time;
2. lines are cut: a keyframe is written where each begins from now on, and the gap is marked;
3. outliers that nothing rests on are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from gevent.threadpool import ThreadPool

from core.errors import InvalidParam
from core.graph.appending.appender import Appender
from core.graph.appending.redacting import thin
from core.graph.appending.work import Work
from core.graph.lines import NO_LINE
from core.graph.stored_event import StateRef, StoredEvent
from core.graph.tips import Tip
from core.ids import EventNid, RoomNid
from core.storage.database import Database
from core.storage.purges import PurgeRow, PurgeStore
from core.storage.state_lines import pack_state, unpack_state
from core.storage.writer import Transaction

CHUNK = 400
"""How many events one job of a purge touches."""
CUT_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class _Cut:
    """How lines will look: the new beginning of each line that gets one, and the lines that go."""

    tip: Tip
    begins: dict[int, int]
    goes: list[int]


class Purger:
    """Takes history away. One purge of a room at a time; the caller sees to that."""

    def __init__(self, database: Database, appender: Appender, store: PurgeStore) -> None:
        self._database = database
        self._appender = appender
        self._bench = appender.bench
        self._store = store
        self._followers: list[Callable[[RoomNid], None]] = []

    def purge(self, room: RoomNid, first_kept: StoredEvent) -> int:
        """Take away everything before `first_kept` in history order, forward extremities apart; returns how many
        events.

        Those that states or auth chains need stay as outliers and are not counted. Raises InvalidParam where
        `first_kept` has no place in the room's history.
        """
        if first_kept.room_nid != room or first_kept.is_outlier:
            raise InvalidParam(f"{first_kept.event_id} has no place in the history of this room.")
        purge = PurgeRow(room, first_kept.local_depth, first_kept.nid)
        self._appender.direct(room, lambda transaction: self._store.begin(transaction, purge))
        return self._run(purge)

    def expire(self, room: RoomNid, events: Collection[StoredEvent]) -> None:
        """Replace the bytes of events by those of their redacted forms, as a redaction would: their time is over.

        State events keep what redaction keeps, so the room stays as it is. Outliers and events of other rooms are
        passed over; so is what is redacted already.
        """

        def plan(work: Work) -> None:
            for stored in work.known.by_nids([one.nid for one in events]).values():
                if stored.room_nid == room and not stored.is_outlier and not stored.is_redacted:
                    thin(work, stored, None, is_logged=True)

        self._appender.prepared(room, plan)

    def follow(self, follower: Callable[[RoomNid], None]) -> None:
        """Call `follower(room)` after each purge of a room in this process; it must not wait."""
        self._followers.append(follower)

    def resume(self) -> None:
        """Take up the purges that were interrupted. Call at start."""
        for purge in self._store.begun():
            self._run(purge)

    def shrink(self) -> None:
        """Give the freed space back to the file system: rewrites the tables, and may take minutes; writers wait."""
        pool = ThreadPool(1)
        try:
            pool.apply(self._shrink)
        finally:
            pool.kill()

    def _run(self, purge: PurgeRow) -> int:
        extremities = self._appender.tips.get(purge.room_nid).extremities
        doomed = [nid for nid in self._store.doomed(purge) if nid not in extremities]
        for start in range(0, len(doomed), CHUNK):
            self._take_place(purge.room_nid, doomed[start : start + CHUNK])
        self._cut_lines(purge)
        deleted = self._delete(purge)
        self._appender.direct(purge.room_nid, lambda transaction: self._store.end(transaction, purge.room_nid))
        for follower in self._followers:
            follower(purge.room_nid)
        return deleted

    def _take_place(self, room: RoomNid, nids: list[EventNid]) -> None:
        def apply(transaction: Transaction) -> None:
            extremities = self._appender.tips.in_job(transaction, room).extremities
            self._store.take_place(transaction, [nid for nid in nids if nid not in extremities])
            self._forget(transaction, nids)

        self._appender.direct(room, apply)

    def _cut_lines(self, purge: PurgeRow) -> None:
        """Write a keyframe where each line begins from now on, and mark the gap."""
        for _ in range(CUT_ATTEMPTS):
            cut = self._plan_cut(purge)
            boundary = self._store.boundary(self._store.gone(purge.room_nid))

            def apply(transaction: Transaction, cut: _Cut = cut, boundary: list = boundary) -> bool:  # type: ignore[type-arg]
                tip = self._appender.tips.in_job(transaction, purge.room_nid)
                if tip.serial != cut.tip.serial:
                    return False
                self._write_cut(transaction, tip, cut)
                self._mark_gap(transaction, purge.room_nid, boundary)
                return True

            if self._appender.direct(purge.room_nid, apply):
                return
        raise TimeoutError(f"room {purge.room_nid} is appended to faster than its lines can be cut")

    def _plan_cut(self, purge: PurgeRow) -> _Cut:
        """Which indexes are still referred to decides where lines begin."""
        tip = self._appender.tips.get(purge.room_nid)
        lowest: dict[int, int] = {tip.line: tip.index}
        kept = self._store.kept(purge)
        refs = [ref for row in kept for ref in ((row[1], row[2]), (row[3], row[4]))]
        refs += [ref for one in tip.extremities.values() for ref in (one.before, one.after) if ref is not None]
        for line, index in refs:
            if line != NO_LINE:
                lowest[line] = min(index, lowest.get(line, index))
        around = self._store.delta_around(purge.room_nid, lowest[tip.line])
        lowest[tip.line] = lowest[tip.line] if around is None else around
        begins = {tip.line: lowest[tip.line]}
        usable = {tip.line: lowest[tip.line]}
        parents: dict[int, int] = {}
        for line, parent, parent_index, _ in self._store.lines_of(purge.room_nid):
            if line == tip.line:
                continue
            if parent != NO_LINE and parent in usable and parent_index >= usable[parent]:
                usable[line], parents[line] = 0, parent
            elif line in lowest:
                begins[line] = usable[line] = lowest[line]
        needed = set(lowest)
        for line in lowest:
            while line in parents and line not in begins:
                line = parents[line]
                needed.add(line)
        return _Cut(tip, begins, [row[0] for row in self._store.lines_of(purge.room_nid) if row[0] not in needed])

    def _write_cut(self, transaction: Transaction, tip: Tip, cut: _Cut) -> None:
        lines = self._bench.stores.lines
        for nid, index in cut.begins.items():
            state = self._bench.states.read(StateRef(nid, index))
            line = self._bench.states.line(nid)
            lines.add_keyframe(transaction, nid, index, pack_state(state.items()))
            self._store.cut_line(transaction, nid, index)
            newest = max(line.keyframe_index, index)
            lines.put_line(
                transaction, replace(line, parent_line=NO_LINE, parent_index=0, nesting=0, keyframe_index=newest)
            )
        for nid in cut.goes:
            self._store.delete_line(transaction, nid)
        self._store.delete_deltas(transaction, tip.room_nid, cut.begins[tip.line])
        renewed = replace(tip, serial=tip.serial + 1, keyframe_index=max(tip.keyframe_index, cut.begins[tip.line]))
        self._bench.stores.rooms.update(transaction, tip.room_nid, renewed.row())
        transaction.remember(("tip", tip.room_nid), renewed)
        transaction.after_commit(partial(self._appender.tips.keep, renewed))
        transaction.after_commit(self._bench.states.forget)

    def _mark_gap(self, transaction: Transaction, room: RoomNid, boundary: list) -> None:  # type: ignore[type-arg]
        gaps = [(nid, event_id) for _, nid, event_id in boundary]
        self._bench.stores.edges.add_gaps(transaction, room, gaps)
        nids = sorted({nid for nid, _ in gaps})
        for start in range(0, len(nids), CHUNK):
            self._store.mark_gap(transaction, nids[start : start + CHUNK])
        self._forget(transaction, nids)

    def _delete(self, purge: PurgeRow) -> int:
        """Delete the outliers that nothing rests on, looking again at what does when the room has grown meanwhile."""
        deleted = 0
        room = purge.room_nid
        while True:
            serial = self._appender.tips.get(room).serial
            needed = self._needed(purge)
            useless = [nid for nid in self._store.gone(room) if nid not in needed]
            if not useless:
                return deleted
            for start in range(0, len(useless), CHUNK):
                chunk = useless[start : start + CHUNK]

                def apply(transaction: Transaction, chunk: list[EventNid] = chunk, serial: int = serial) -> bool:
                    if self._appender.tips.in_job(transaction, room).serial != serial:
                        return False
                    self._store.delete(transaction, chunk)
                    self._forget(transaction, chunk)
                    return True

                if not self._appender.direct(room, apply):
                    break
                deleted += len(chunk)

    def _needed(self, purge: PurgeRow) -> set[EventNid]:
        """The events in the states that are still referred to, and all auth chains."""
        needed: set[EventNid] = set()
        for line, _, _, _ in self._store.lines_of(purge.room_nid):
            needed |= self._store.events_of_line(line, -1)
            for packed in self._bench.stores.lines.keyframes_of(line):
                needed |= set(unpack_state(packed).values())
        kept = self._store.kept(purge)
        needed |= {row[0] for row in kept} | {row[5] for row in kept if row[5]}
        needed |= self._appender.tips.get(purge.room_nid).extremities.keys()
        frontier = set(needed)
        for start in range(0, len(kept), CHUNK):
            messages = [row[0] for row in kept[start : start + CHUNK]]
            events = self._bench.events.by_nids(messages).values()
            ids = {one for stored in events if not stored.is_state for one in stored.event.auth_event_ids}
            frontier |= set(self._bench.stores.events.nids(self._database, ids).values())
        needed |= frontier
        while frontier:
            found = self._bench.events.auth_edges(frontier)
            frontier = {auth for _, auths in found.values() for auth in auths} - needed
            needed |= frontier
        return needed

    def _forget(self, transaction: Transaction, nids: list[EventNid]) -> None:
        """Let memory follow; what is dropped is read again, so doing so twice is safe."""
        self._bench.events.drop(nids)
        transaction.after_commit(lambda: self._bench.events.drop(nids))

    def _shrink(self) -> None:
        connection = self._database.open_writing()
        try:
            cursor = connection.cursor()
            if not self._database.dialect.is_mysql:
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return
            for table in ("events", "auth_edges", "event_edges", "state_changes", "state_keyframes", "log"):
                cursor.execute(f"OPTIMIZE TABLE {table}")
                cursor.fetchall()
        finally:
            connection.close()
