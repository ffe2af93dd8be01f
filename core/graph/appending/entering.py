"""Entering a big room: its state is written beforehand, in small jobs that nobody sees, and taken over by the join.

Everything goes under a line that no room has yet. Only the last job, which appends the join, makes it the room's main line,
so the entrance takes effect at once however big the room is. What an interrupted entrance has left is thrown away by the next
one, and at start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import gevent

from core.graph.appending.admission import Admission, Appended
from core.graph.appending.admitting import Refused, admit
from core.graph.appending.appender import Appender
from core.graph.appending.line_book import as_changes
from core.graph.appending.numbering import number_of
from core.graph.appending.placing import fetched_state
from core.graph.appending.work import Work
from core.graph.lines import EMPTY, NO_LINE, StateMap, difference
from core.graph.stores import GraphStores
from core.ids import EventNid, RoomNid, server_of
from core.storage.memberships import Membership, membership_of
from core.storage.room_servers import OPEN
from core.storage.state_lines import Change, Line, pack_state
from core.storage.writer import Transaction

STAGED_LEAST = 400
"""Smaller states are written with the join itself."""
ENTRIES_PER_JOB = 200


@dataclass(slots=True)
class _Staged:
    """What has been written beforehand."""

    line: int
    state: StateMap
    local: list[Membership]
    """Memberships of local users, which are visible at once and so are left to the last job."""
    servers: Counter[str]
    since: dict[str, int]
    joined: int = 0
    invited: int = 0


class Entrances:
    """Enters rooms that this server has no state of."""

    def __init__(self, appender: Appender) -> None:
        self._appender = appender
        self._stores = appender.bench.stores

    def enter(self, room: RoomNid, admission: Admission, refused: Refused) -> Appended | None:
        """Take a room's state over, and append the join. None if the room turns out to have a state already."""
        staged = self._stage(room, admission)

        def apply(transaction: Transaction) -> Appended | None:
            work = self._appender.begin(transaction, room)
            if work.tip.line != NO_LINE:
                return None
            self._adopt(work, staged)
            admit(work, [admission], refused)
            work.settle()
            self._write_rest(transaction, room, staged)
            return self._appender.write(work, transaction)

        return self._appender.direct(room, apply)

    def discard(self) -> None:
        """Throw away what interrupted entrances have left. Call at start."""
        for room in self._stores.lines.rooms_without_main_line():
            self._appender.direct(room, partial(self._clear, room=room))

    def _stage(self, room: RoomNid, admission: Admission) -> _Staged:
        assert admission.state is not None, "an entrance comes with a state"
        reading = Work(self._appender.tips.get(room), self._appender.bench, None, gevent.idle)
        state = fetched_state(reading, admission.state)
        self._stores.events.reserve_nids(10)
        staged = _Staged(self._stores.events.take_nid(), state, [], Counter(), {})
        texts = self._appender.bench.texts
        names = texts.texts({key for _, key in state})
        texts.nids({server_of(name) for name in names.values() if name.startswith("@")} | {"m.room.member"})
        changes = iter(as_changes(difference(EMPTY, state)))
        self._appender.direct(room, lambda transaction: self._clear(transaction, room))
        index = 0
        while chunk := list(islice(changes, ENTRIES_PER_JOB)):
            members = self._members(room, chunk, index, names, staged)
            index += len(chunk)
            line = Line(staged.line, room, NO_LINE, 0, 0, index, -1)
            write = partial(_write_chunk, stores=self._stores, line=line, changes=chunk, members=members)
            self._appender.direct(room, write)
        packed = pack_state(state.items())
        self._appender.direct(
            room, lambda transaction: self._stores.lines.add_keyframe(transaction, staged.line, index, packed)
        )
        return staged

    def _members(
        self, room: RoomNid, chunk: Sequence[Change], after: int, names: Mapping[int, str], staged: _Staged
    ) -> list[Membership]:
        """The memberships of a chunk that may be written at once: those of remote users."""
        kind = number_of(self._appender.bench.texts, "m.room.member")
        entries = {
            new: (index, key) for index, (one, key, _, new) in enumerate(chunk, after + 1) if one == kind and new
        }
        found: list[Membership] = []
        for nid, stored in self._appender.bench.events.by_nids(entries).items():
            index, user = entries[nid]
            membership, server = membership_of(stored.content), server_of(names[user])
            member = Membership(room, user, membership, EventNid(nid), index)
            (staged.local if server == self._appender.server_name else found).append(member)
            staged.invited += membership == "invite"
            if membership == "join":
                staged.joined += 1
                staged.servers[server] += 1
                staged.since.setdefault(server, index)
        return found

    def _adopt(self, work: Work, staged: _Staged) -> None:
        """Let the append go on from the state that was written, as if the room had always had it."""
        size = len(staged.state)
        work.is_entrance = True
        work.prepared, work.delta_start = staged.state, 0
        work.line, work.index, work.state = staged.line, size, staged.state
        work.tip = replace(work.tip, joined_count=staged.joined, invited_count=staged.invited)
        work.book.adopt(Line(staged.line, work.tip.room_nid, NO_LINE, 0, 0, size, size), staged.state)

    def _write_rest(self, transaction: Transaction, room: RoomNid, staged: _Staged) -> None:
        self._stores.memberships.put(transaction, staged.local)
        local = [member.user_nid for member in staged.local]
        self._stores.out_of_band.remove_for_room(transaction, room, local)
        texts = self._appender.bench.texts
        rows = [
            (room, number_of(texts, server), staged.since[server], OPEN, count)
            for server, count in staged.servers.items()
        ]
        self._stores.servers.add(transaction, rows)

    def _clear(self, transaction: Transaction, room: RoomNid) -> None:
        """Leave nothing of an earlier attempt; a room that has a state is left alone."""
        if self._appender.tips.in_job(transaction, room).line == NO_LINE:
            self._stores.lines.clear_room(transaction, room)
            self._stores.memberships.clear_room(transaction, room)


def _write_chunk(
    transaction: Transaction,
    stores: GraphStores,
    line: Line,
    changes: Sequence[Change],
    members: Sequence[Membership],
) -> None:
    """One small job: some entries of the state; `line` is as it stands after them."""
    stores.lines.put_line(transaction, line)
    stores.lines.add_changes(transaction, line.line_nid, line.tip_index - len(changes) + 1, changes)
    stores.lines.set_current(transaction, line.room_nid, changes)
    stores.memberships.put(transaction, members)
