"""Reading events: by id, by number, many at once, from a cache of bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from core.errors import NotFound
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.redaction import redact
from core.graph.caches import ByteCache
from core.graph.stored_event import ParsedEvents, StateRef, StoredEvent
from core.ids import EventId, EventNid, UserId
from core.storage.database import Database, Row
from core.storage.events import EventStore, Flag
from core.storage.interning import Interner
from core.storage.log import Kind, Line
from core.storage.rooms import RoomStore
from core.storage.state_lines import unpack_nids
from core.storage.writer import Transaction

CACHE_BYTES = 32 * 1024 * 1024
"""How much of events is kept in memory, unless the composition root says otherwise."""
PARSED_BYTES, LEAST_PARSED = 3_000, 500
"""What a parsed event takes, about: for so many bytes of the cache one event may be kept in that form; the least kept."""
_OVERHEAD_BYTES = 600


class EventReader:
    """Stored events. What is not known is left out of answers that take many."""

    followed = (Kind.REDACTED,)
    """The kinds of lines it hears of."""

    def __init__(
        self, database: Database, store: EventStore, rooms: RoomStore, texts: Interner, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._database = database
        self._store = store
        self._rooms = rooms
        self._texts = texts
        self._cache: ByteCache[EventNid, StoredEvent] = ByteCache(cache_bytes)
        self._nids: ByteCache[EventId, EventNid] = ByteCache(cache_bytes // 4)
        self.parsed = ParsedEvents(max(LEAST_PARSED, cache_bytes // PARSED_BYTES))

    def by_nid(self, nid: EventNid) -> StoredEvent:
        """One event by number. Raises KeyError for a number that no event has (any more)."""
        return self._cache.get(nid) or self.by_nids((nid,))[nid]

    def in_memory(self, nid: EventNid) -> StoredEvent | None:
        """One event by number, if it is at hand: for those who must not wait."""
        return self._cache.get(nid)

    def by_nids(self, nids: Iterable[EventNid], source: Transaction | None = None) -> dict[EventNid, StoredEvent]:
        """Events by number, in the order asked. `source` is a transaction whose own writes are to be seen."""
        wanted = list(nids)
        at_hand = self._cache.get_all(wanted)
        found = {nid: stored for nid, stored in zip(wanted, at_hand, strict=True) if stored is not None}
        if len(found) == len(wanted):
            return found
        missing = [nid for nid in wanted if nid not in found]
        if not missing:
            return found
        loaded = self._load(self._store.by_nids(source or self._database, missing))
        if source is None:
            self.keep(loaded)
        found.update((stored.nid, stored) for stored in loaded)
        return {nid: found[nid] for nid in wanted if nid in found}

    def by_id(self, event_id: EventId) -> StoredEvent | None:
        """One event by its id, or None."""
        return self.by_ids((event_id,)).get(event_id)

    def get(self, event_id: EventId) -> StoredEvent:
        """One event by its id. Raises NotFound."""
        found = self.by_id(event_id)
        if found is None:
            raise NotFound(f"There is no event {event_id} here.")
        return found

    def by_ids(self, event_ids: Collection[EventId], source: Transaction | None = None) -> dict[EventId, StoredEvent]:
        """Events by id."""
        found: dict[EventId, StoredEvent] = {}
        missing: list[EventId] = []
        for event_id in event_ids:
            nid = self._nids.get(event_id)
            stored = None if nid is None else self._cache.get(nid)
            if stored is None:
                missing.append(event_id)
            else:
                found[event_id] = stored
        if missing:
            loaded = self._load(self._store.by_ids(source or self._database, missing))
            if source is None:
                self.keep(loaded)
            found.update((stored.event_id, stored) for stored in loaded)
        return found

    def auth_edges(
        self, nids: Collection[EventNid], source: Transaction | None = None
    ) -> dict[EventNid, tuple[int, tuple[EventNid, ...]]]:
        """(auth level, auth events) of each state event of `nids`."""
        rows = self._store.auth_edges(source or self._database, nids)
        return {nid: (level, unpack_nids(packed)) for nid, level, packed in rows}

    def keep(self, events: Iterable[StoredEvent]) -> None:
        """Put committed events into the cache, in place of what it had."""
        for stored in events:
            self._cache.put(stored.nid, stored, _OVERHEAD_BYTES + len(stored.pdu_bytes))
            self._nids.put(stored.event_id, stored.nid, 200)

    def drop(self, nids: Iterable[EventNid]) -> None:
        """Let go of events whose rows have changed."""
        for nid in nids:
            self._cache.drop(nid)

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: forget what another process has redacted."""
        self.drop(EventNid(line.reference) for line in lines if line.kind is Kind.REDACTED)

    def _load(self, rows: list[Row]) -> list[StoredEvent]:
        texts = self._texts.texts({nid for row in rows for nid in (row[5], row[6], row[7]) if nid is not None})
        names = self._rooms.names({row[2] for row in rows})
        return [self._stored(row, texts, names[row[2]]) for row in rows]

    def _stored(self, row: Row, texts: dict, name) -> StoredEvent:  # type: ignore[no-untyped-def,type-arg]  # rows have no types
        key_nid = row[6]
        return StoredEvent(
            nid=row[0],
            event_id=row[1],
            room_nid=row[2],
            room_id=name.room_id,
            version=name.version,
            local_depth=row[3],
            flags=row[4],
            type=texts[row[5]],
            state_key=None if key_nid is None else texts[key_nid],
            sender=UserId(texts[row[7]]),
            type_nid=row[5],
            state_key_nid=key_nid,
            sender_nid=row[7],
            origin_server_ts=row[8],
            before=None if row[4] & (Flag.OUTLIER | Flag.STATELESS) else StateRef(row[9], row[10]),
            after=StateRef(row[11], row[12]) if row[11] else None,
            main_index=row[13],
            main_before=row[14],
            top_depth=row[15],
            redacted_by=row[16] or None,
            pdu_bytes=row[17],
            parsed=self.parsed,
        )


def row_of(stored: StoredEvent) -> Row:
    """The columns of an event's row."""
    before, after = stored.before or StateRef(0, 0), stored.after or StateRef(0, 0)
    return (
        stored.nid,
        stored.event_id,
        stored.room_nid,
        stored.local_depth,
        stored.flags,
        stored.type_nid,
        stored.state_key_nid,
        stored.sender_nid,
        stored.origin_server_ts,
        before.line,
        before.index,
        after.line,
        after.index,
        stored.main_index,
        stored.main_before,
        stored.top_depth,
        stored.redacted_by or 0,
        stored.pdu_bytes,
    )


def pdu_bytes(event: Event) -> bytes:
    """The bytes to store: canonical, without `unsigned`, which is what we say and not what the sender signed."""
    pdu = event.pdu
    if "unsigned" in pdu:
        pdu = {key: value for key, value in pdu.items() if key != "unsigned"}
    return _compact(encode(pdu, strict=False))


def redacted_bytes(event: Event) -> bytes:
    """The bytes to store once the event is redacted."""
    return _compact(encode(redact(event.pdu, event.version), strict=False))


def _compact(encoded: bytes) -> bytes:
    """The same bytes in memory of their own size: what the encoder returns holds on to its buffer, 4 KB and more."""
    return bytes(memoryview(encoded))
