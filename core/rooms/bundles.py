"""Bundled aggregations: what relates to the events of an answer, put into their `unsigned`.

Most rooms have few relations and most events none, so that is what is kept in memory: which rooms have any, and the
aggregate of each event that was asked for, an empty one too. A new relation is added to the aggregate it belongs to; a
redaction makes the room's be read again. A page of events costs one query at most, and none when it is asked for again.

Spec: Client-Server API, "Aggregations of child events".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import orjson

from core.graph.appending.relating import relation_in
from core.graph.caches import ByteCache
from core.graph.client_events import Render, Viewer
from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, EventNid, RoomNid, TextNid, UserId, UserNid
from core.rooms.aggregates import BUNDLED, REFERENCE, REPLACE, THREAD, Aggregate, is_edit
from core.storage.events import Flag
from core.storage.interning import Interner
from core.storage.log import Kind, Line
from core.storage.related_events import RelatedEvent, RelatedEventStore

CACHE_BYTES = 32 * 1024 * 1024
"""How much of aggregates is kept in memory."""
ROOMS_BYTES = 8 * 1024 * 1024
"""How much is kept of which rooms have relations."""
MOST_GENERATIONS = 100_000
"""Of so many rooms it is known since when their aggregates hold; beyond that all are read again."""
MOST_LOOKED_AT = 2_000
"""So many related events are loaded to find what a viewer may see who may not see all."""
_ROOM_ENTRY_BYTES = 150
_EDITS_AT_ONCE = 20

_Entry = tuple[int, Aggregate]
"""(generation of the room, aggregate)."""


class RelationBundles:
    """Implements core.graph.client_events.Bundles. `follow` must be given to the log's tail."""

    followed = (Kind.EVENT, Kind.BACKFILL, Kind.REDACTED)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        store: RelatedEventStore,
        events: EventReader,
        texts: Interner,
        viewing: Viewing,
        ignored_by: Callable[[UserNid], Collection[UserId]],
    ) -> None:
        self._store = store
        self._events = events
        self._texts = texts
        self._viewing = viewing
        self._ignored_by = ignored_by
        self._cache: ByteCache[EventId, _Entry] = ByteCache(CACHE_BYTES)
        self._rooms: ByteCache[RoomNid, bool] = ByteCache(ROOMS_BYTES)
        self._generations: dict[RoomNid, int] = {}
        self._changes = 0

    def of(self, events: Sequence[StoredEvent], viewer: Viewer, render: Render) -> Mapping[EventId, bytes]:
        """The JSON object of `m.relations` for each event of one room that has one."""
        parents = [stored for stored in events if not stored.is_state]
        if not parents or not self._has_relations(parents[0].room_nid):
            return {}
        found = self._seen_by(parents, viewer)
        if not found:
            return {}
        replies = self._loaded([one.latest_reply for one in found.values()])
        inner = self._seen_by(list(replies.values()), viewer) if replies else {}
        edits = self._loaded([one.edit and one.edit[2] for one in (*found.values(), *inner.values())])
        listed = list(edits.values())
        rendered = dict(zip(edits, render(listed, {}), strict=True))
        nested = {event_id: _bundle(_parts(one, rendered)) for event_id, one in inner.items()}
        listed = list(replies.values())
        rendered.update(zip(replies, render(listed, {key: one for key, one in nested.items() if one}), strict=True))
        bundles = {}
        for parent in parents:
            if parent.event_id in found:
                aggregate = found[parent.event_id]
                parts = _parts(aggregate, rendered)
                parts.update(_thread(aggregate, rendered, _takes_part(aggregate, parent, viewer)))
                if parts:
                    bundles[parent.event_id] = _bundle(parts)
        return bundles

    def load(self, rooms: Collection[RoomNid]) -> None:
        """Read which of some rooms have relations, many at once."""
        unknown = [room for room in rooms if self._rooms.get(room) is None]
        changes = self._changes
        related = self._store.rooms_with_any(unknown, self._types().keys())
        if changes == self._changes:
            for room in unknown:
                self._rooms.put(room, room in related, _ROOM_ENTRY_BYTES)

    def participants(self, roots: Sequence[StoredEvent], viewer: Viewer) -> set[EventId]:
        """Those of some thread roots of one room in whose threads the viewer takes part."""
        found = self._aggregates(roots)
        return {
            root.event_id
            for root in roots
            if root.event_id in found and _takes_part(found[root.event_id], root, viewer)
        }

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: bring what is kept up to what has happened."""
        for line in lines:
            if line.kind is Kind.EVENT or line.kind is Kind.BACKFILL:
                stored = self._events.in_memory(EventNid(line.reference))
                if stored is None:  # another process appended it
                    self._forget(RoomNid(line.subject))
                elif b'"m.relates_to"' in stored.pdu_bytes:
                    self._add(stored)
            elif line.kind is Kind.REDACTED:
                self._forget(RoomNid(line.subject))

    def _add(self, stored: StoredEvent) -> None:
        relation = None if stored.is_state else relation_in(stored.content)
        if relation is None or relation[1] not in BUNDLED:
            return
        self._changes += 1
        self._rooms.put(stored.room_nid, True, _ROOM_ENTRY_BYTES)
        parent_id, rel_type, _ = relation
        entry = self._cache.get(parent_id)
        if entry is None:
            return
        self._cache.drop(parent_id)
        if entry[0] == self._generations.get(stored.room_nid, 0):
            child = _related(stored, parent_id, self._texts.find(rel_type) or TextNid(0))
            self._keep(parent_id, (entry[0], _with_child(entry[1], child, rel_type, stored)))

    def _forget(self, room: RoomNid) -> None:
        self._changes += 1
        if self._rooms.get(room) is False:
            self._rooms.drop(room)
        if len(self._generations) >= MOST_GENERATIONS:
            self._generations.clear()
            self._cache.clear()
        self._generations[room] = self._changes

    def _keep(self, event_id: EventId, entry: _Entry) -> None:
        self._cache.put(event_id, entry, entry[1].size_bytes)

    def _has_relations(self, room: RoomNid) -> bool:
        known = self._rooms.get(room)
        if known is None:
            changes = self._changes
            known = self._store.has_any(room, self._types().keys())
            if changes == self._changes:
                self._rooms.put(room, known, _ROOM_ENTRY_BYTES)
        return known

    def _types(self) -> dict[TextNid, str]:
        """The bundled relation types that anybody has used, by number. Reading must not have to write."""
        return {nid: rel_type for rel_type, nid in self._texts.known(BUNDLED).items()}

    def _aggregates(self, parents: Sequence[StoredEvent]) -> dict[EventId, Aggregate]:
        """The aggregate of each event that something relates to."""
        generation = self._generations.get(parents[0].room_nid, 0) if parents else 0
        found: dict[EventId, Aggregate] = {}
        missing = []
        for parent in parents:
            entry = self._cache.get(parent.event_id)
            if entry is None or entry[0] != generation:
                missing.append(parent)
            elif entry[1]:
                found[parent.event_id] = entry[1]
        if missing:
            changes = self._changes
            for event_id, aggregate in self._read(missing).items():
                if changes == self._changes:
                    self._keep(event_id, (generation, aggregate))
                if aggregate:
                    found[event_id] = aggregate
        return found

    def _read(self, parents: Sequence[StoredEvent]) -> dict[EventId, Aggregate]:
        types = self._types()
        room, ids = parents[0].room_nid, [parent.event_id for parent in parents]
        children = self._store.children(room, ids, types.keys())
        by_parent: dict[EventId, list[RelatedEvent]] = defaultdict(list)
        for child in children:
            by_parent[child.parent_id].append(child)
        return {
            parent.event_id: self._sum_up(Aggregate.of(parent), by_parent.get(parent.event_id, ()), types)
            for parent in parents
        }

    def _sum_up(self, start: Aggregate, children: Collection[RelatedEvent], types: Mapping[TextNid, str]) -> Aggregate:
        by_type: dict[str, list[RelatedEvent]] = defaultdict(list)
        for child in children:
            by_type[types[child.rel_type_nid]].append(child)
        total = start
        if by_type[THREAD]:
            total = total.with_replies(by_type[THREAD])
        if by_type[REFERENCE]:
            total = total.with_references(by_type[REFERENCE])
        edits = [child for child in by_type[REPLACE] if start.may_be_edited_by(child)]
        edits.sort(key=lambda one: (one.origin_server_ts, one.event_id), reverse=True)
        for first in range(0, len(edits), _EDITS_AT_ONCE):  # nearly always the first one is valid
            some = edits[first : first + _EDITS_AT_ONCE]
            loaded = self._events.by_nids(child.nid for child in some)
            valid = next((child for child in some if child.nid in loaded and is_edit(loaded[child.nid])), None)
            if valid is not None:
                return total.with_edit(valid)
        return total

    def _seen_by(self, parents: Sequence[StoredEvent], viewer: Viewer) -> dict[EventId, Aggregate]:
        """The aggregates as the viewer sees them: without whom they ignore, and what they may not see."""
        found = self._aggregates(parents)
        if not found:
            return {}
        ignored = frozenset(self._texts.known(self._ignored_by(viewer.user_nid)).values())
        seen = {event_id: one for event_id, one in ((i, a.without(ignored)) for i, a in found.items()) if one}
        whole_from = self._viewing.sees_all_from(parents[0].room_nid, viewer.user_nid, viewer.user_id)
        if not seen or (whole_from is not None and all(_is_since(parent, whole_from) for parent in parents)):
            return seen
        return self._visible_part([parent for parent in parents if parent.event_id in seen], viewer, ignored)

    def _visible_part(
        self, parents: Sequence[StoredEvent], viewer: Viewer, ignored: Collection[TextNid]
    ) -> dict[EventId, Aggregate]:
        """The aggregates over only what the viewer may see of the children; the newest of them are looked at."""
        types = self._types()
        children = self._store.children(parents[0].room_nid, [parent.event_id for parent in parents], types.keys())
        children = children[-MOST_LOOKED_AT:]
        events = self._events.by_nids(child.nid for child in children).values() if children else ()
        visible = {stored.nid for stored in self._viewing.visible(events, viewer.user_nid, viewer.user_id)}
        found = {}
        for parent in parents:
            own = [child for child in children if child.parent_id == parent.event_id and child.nid in visible]
            aggregate = self._sum_up(Aggregate.of(parent), own, types).without(ignored)
            if aggregate:
                found[parent.event_id] = aggregate
        return found

    def _loaded(self, nids: Collection[EventNid | None]) -> dict[EventNid, StoredEvent]:
        return self._events.by_nids([nid for nid in nids if nid is not None])


def _is_since(stored: StoredEvent, index: int) -> bool:
    """Whether nothing that relates to an event can be from before an index of the main line; what came late has none."""
    return index == 0 or (stored.main_index >= index and not stored.flags & Flag.BACKFILLED)


def _with_child(aggregate: Aggregate, child: RelatedEvent, rel_type: str, stored: StoredEvent) -> Aggregate:
    if rel_type == THREAD:
        return aggregate.with_replies((child,))
    if rel_type == REFERENCE:
        return aggregate.with_references((child,))
    return aggregate.with_edit(child) if aggregate.may_be_edited_by(child) and is_edit(stored) else aggregate


def _related(stored: StoredEvent, parent: EventId, rel_type: TextNid) -> RelatedEvent:
    return RelatedEvent(
        parent,
        rel_type,
        stored.nid,
        stored.type_nid,
        stored.sender_nid,
        stored.event_id,
        stored.local_depth,
        stored.origin_server_ts,
    )


def _takes_part(aggregate: Aggregate, root: StoredEvent, viewer: Viewer) -> bool:
    return root.sender_nid == viewer.user_nid or viewer.user_nid in aggregate.thread


def _parts(aggregate: Aggregate, rendered: Mapping[EventNid, bytes]) -> dict[str, bytes]:
    """What is bundled without a thread."""
    parts = {}
    if aggregate.edit is not None and aggregate.edit[2] in rendered:
        parts[REPLACE] = rendered[aggregate.edit[2]]
    if aggregate.references:
        parts[REFERENCE] = orjson.dumps({"chunk": [{"event_id": event_id} for _, event_id in aggregate.references]})
    return parts


def _thread(aggregate: Aggregate, rendered: Mapping[EventNid, bytes], takes_part: bool) -> dict[str, bytes]:
    latest = aggregate.latest_reply
    if latest is None or latest not in rendered:
        return {}
    return {
        THREAD: b'{"latest_event":%b,"count":%d,"current_user_participated":%b}'
        % (rendered[latest], aggregate.reply_count, b"true" if takes_part else b"false")
    }


def _bundle(parts: Mapping[str, bytes]) -> bytes:
    """The object of `m.relations`; empty bytes where there is nothing in it."""
    if not parts:
        return b""
    return b"{" + b",".join(b'"%b":%b' % (rel_type.encode(), part) for rel_type, part in parts.items()) + b"}"
