"""Writing an append: every row of it in one job, and memory once it has been committed."""

from __future__ import annotations

from collections.abc import Collection

from core.graph.appending.admission import Appended
from core.graph.appending.membership_rows import write_memberships
from core.graph.appending.work import Work
from core.graph.events import row_of
from core.graph.lines import NO_LINE
from core.graph.stored_event import StoredEvent
from core.graph.tips import Tip, TipReader
from core.ids import ServerName
from core.storage.log import Kind
from core.storage.state_deltas import DeltaRange
from core.storage.state_lines import pack_nids, pack_state
from core.storage.writer import Transaction


def write(work: Work, transaction: Transaction, tips: TipReader, server_name: ServerName) -> Appended:
    """Write what `work` has collected, log it, and arrange for memory to follow the commit."""
    work.settle()
    stores, fresh = work.bench.stores, work.known.fresh
    _write_events(work, transaction)
    _write_lines(work, transaction)
    delta = _write_delta(work, transaction, server_name)
    _log(work, transaction, delta)
    tip = _next_tip(work)
    if tip.line != work.tip.line or work.live or delta is not None or tip.extremities != work.tip.extremities:
        before, after = work.tip.extremities.keys(), tip.extremities.keys()
        stores.extremities.advance(transaction, tip.room_nid, after - before, before - after)
    stores.rooms.update(transaction, tip.room_nid, tip.row())
    transaction.remember(("tip", tip.room_nid), tip)
    for stored in fresh.values():
        transaction.remember(("event", stored.nid), stored)
        transaction.remember(("event id", stored.event_id), stored.nid)
    for nid, entry in work.known.fresh_auth.items():
        transaction.remember(("auth", nid), entry)
    for ref, state in work.book.fresh_states.items():
        transaction.remember(("state", ref), state)
    for line in work.book.changed_lines.values():
        transaction.remember(("line", line.line_nid), line)
    transaction.after_commit(lambda: _remember(work, tips, tip, fresh.values()))
    return Appended([fresh[nid] for nid in work.answered], delta)


def _remember(work: Work, tips: TipReader, tip: Tip, events: Collection[StoredEvent]) -> None:
    work.bench.events.keep(events)
    for ref, state in work.book.fresh_states.items():
        if ref.line != NO_LINE:
            work.bench.states.keep(ref, state, is_shared=True)
    tips.keep(tip)
    tips.note_own(work.live)
    tips.note_own(work.history)


def _next_tip(work: Work) -> Tip:
    tip = work.tip
    line = work.book.changed_lines.get(work.line)
    joined, invited = work.counts
    return Tip(
        tip.room_nid,
        tip.room_id,
        tip.version,
        tip.serial + 1,
        work.line,
        work.index,
        tip.keyframe_index if line is None else line.keyframe_index,
        work.state,
        work.extremities,
        work.top_depth,
        joined,
        invited,
    )


def _write_events(work: Work, transaction: Transaction) -> None:
    stores, fresh = work.bench.stores, work.known.fresh
    for made in work.new:
        stores.events.add(transaction, row_of(fresh[made.nid]))
    for nid, (level, auth) in work.known.fresh_auth.items():
        stores.events.add_auth_edges(transaction, nid, level, pack_nids(auth))
    for outlier in work.placed:
        row = row_of(fresh[outlier.nid])
        stores.events.give_place(transaction, outlier.nid, (row[3], row[4], *row[9:16]))
    for nid, ref in work.new_after.items():
        stores.events.set_after(transaction, nid, ref.line, ref.index)
    stores.edges.add(transaction, work.edges)
    stores.edges.add_gaps(transaction, work.tip.room_nid, work.gaps)
    for event_id in work.closed:
        stores.edges.close_gaps(transaction, event_id)
    stores.relations.add(transaction, work.relations)
    for redacts, nid in work.redactions:
        stores.redactions.add(transaction, redacts, nid)
    made_now = {made.nid for made in work.new}
    for redacted in work.redacted:
        stored = fresh[redacted.stored.nid]
        if stored.nid not in made_now:
            stores.events.thin(transaction, stored.nid, stored.pdu_bytes, stored.flags, stored.redacted_by)
            stores.relations.remove_child(transaction, stored.nid)


def _write_lines(work: Work, transaction: Transaction) -> None:
    lines = work.bench.stores.lines
    for line in work.book.changed_lines.values():
        lines.put_line(transaction, line)
    for nid, runs in work.book.changes.items():
        for first, changes in runs:
            lines.add_changes(transaction, nid, first, changes)
    for nid, index, state in work.book.keyframes:
        lines.add_keyframe(transaction, nid, index, pack_state(state.items()))


def _write_delta(work: Work, transaction: Transaction, server_name: ServerName) -> DeltaRange | None:
    if not work.delta and work.delta_start is None:
        work.counts = (work.tip.joined_count, work.tip.invited_count)
        return None
    stores = work.bench.stores
    start = work.index - len(work.delta)
    after = start if work.delta_start is None else work.delta_start
    delta = DeltaRange(stores.events.take_nid(), work.tip.room_nid, work.line, after, work.index)
    stores.lines.set_current(transaction, work.tip.room_nid, work.delta)
    stores.deltas.add(transaction, delta)
    work.counts = write_memberships(work, transaction, start, server_name)
    return delta


def _log(work: Work, transaction: Transaction, delta: DeltaRange | None) -> None:
    room = work.tip.room_nid
    for nid in work.live:
        transaction.log(Kind.EVENT, room, nid)
    for nid in work.history:
        transaction.log(Kind.BACKFILL, room, nid)
    for redacted in work.redacted:
        if redacted.is_logged:
            transaction.log(Kind.REDACTED, room, redacted.stored.nid)
    if delta is not None:
        transaction.log(Kind.STATE_DELTA, room, delta.delta_nid)
