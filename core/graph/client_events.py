"""Events in the form clients get, as bytes.

The part of an event that is the same for everybody is encoded once and kept; what depends on who asks and when (age,
transaction id, membership, relations) is put behind it. So a reply is a join of byte strings.

Spec: Client-Server API, "Room event format".
"""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from core.graph.caches import ByteCache
from core.graph.erasure import Erasure
from core.graph.events import EventReader
from core.graph.states import RoomStates
from core.graph.stored_event import StoredEvent
from core.graph.unsigned_fields import ContributedFields
from core.graph.viewing import Viewing
from core.ids import EventId, EventNid, RoomNid, UserId, UserNid
from core.storage.memberships import MEMBERSHIPS
from core.storage.transaction_ids import TransactionIdStore

CACHE_BYTES = 32 * 1024 * 1024
"""How much of encoded events is kept in memory, unless the composition root says otherwise."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who gets the events. `scope` is the device, or what stands for it, whose transaction ids are shown."""

    user_nid: UserNid
    user_id: UserId
    scope: str = ""


Render = Callable[[Sequence[StoredEvent], Mapping[EventId, bytes]], list[bytes]]
"""Renders events of the same room in the form of the answer at hand, with these aggregations."""


class Bundles(Protocol):
    """Aggregations of relations, as they go into `unsigned`."""

    def of(self, events: Sequence[StoredEvent], viewer: Viewer, render: Render) -> Mapping[EventId, bytes]:
        """The JSON object of `m.relations` for each event that has one; `render` is for the events in it."""

    def load(self, rooms: Collection[RoomNid]) -> None:
        """Get ready for events of these rooms."""


class NoBundles:
    """No aggregations: for answers in which the specification has none."""

    def of(self, events: Sequence[StoredEvent], viewer: Viewer, render: Render) -> Mapping[EventId, bytes]:
        """Nothing."""
        return {}

    def load(self, rooms: Collection[RoomNid]) -> None:
        """Nothing to do."""


_Parts = tuple[bytes, bytes | None]
"""(the object without its closing brace, the unsigned fields that never change, None where not looked up)."""

_MEMBERSHIP = {name: b',"membership":"%b"' % name.encode() for name in MEMBERSHIPS}


class ClientEvents:
    """The client format. One per server."""

    def __init__(
        self,
        events: EventReader,
        states: RoomStates,
        viewing: Viewing,
        transactions: TransactionIdStore,
        bundles: Bundles | None = None,
        cache_bytes: int = CACHE_BYTES,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        contributed: ContributedFields | None = None,
        erasure: Erasure | None = None,
    ) -> None:
        self._contributed = contributed
        self._erasure = erasure
        self._events = events
        self._states = states
        self._viewing = viewing
        self._transactions = transactions
        self._bundles = bundles or NoBundles()
        self._now_ms = now_ms
        self._cache: ByteCache[tuple[EventNid, int], _Parts] = ByteCache(cache_bytes)

    def render(
        self,
        events: Iterable[StoredEvent],
        viewer: Viewer,
        with_room_id: bool = True,
        is_bundled: bool = True,
        with_membership: bool = True,
        with_replaced: bool = True,
    ) -> list[bytes]:
        """Each event of one room as a JSON object, in the order given.

        `with_replaced`: with what a state event took the place of, which costs a look at the state before it.
        """
        listed = list(events)
        if not listed:
            return []

        def render(inner: Sequence[StoredEvent], bundled: Mapping[EventId, bytes]) -> list[bytes]:
            return self._render(inner, viewer, bundled, with_room_id, with_membership, with_replaced)

        return render(listed, self._bundles.of(listed, viewer, render) if is_bundled else {})

    def load(self, rooms: Collection[RoomNid], events: Collection[StoredEvent]) -> None:
        """Read what rendering `events` of many `rooms`, each room by itself, will ask for, all at once."""
        self._bundles.load(rooms)
        self._events.by_nids(self._states.replaced_by(events).values())

    def stripped(self, events: Iterable[StoredEvent]) -> bytes:
        """A JSON list of stripped state: content, sender, state key and type. Spec: "Stripped state"."""
        return b"[" + b",".join(stripped(stored) for stored in events) + b"]"

    def _render(
        self,
        listed: Sequence[StoredEvent],
        viewer: Viewer,
        bundled: Mapping[EventId, bytes],
        with_room_id: bool,
        with_membership: bool,
        with_replaced: bool,
    ) -> list[bytes]:
        if self._erasure is not None:
            listed = self._erasure.applied(listed, viewer.user_nid, viewer.user_id)
        own = [one.nid for one in listed if one.sender_nid == viewer.user_nid and not one.is_state]  # state has no id
        sent = self._sent_by(own, viewer) if own and viewer.scope else {}
        added = {} if self._contributed is None else self._contributed.of(listed, viewer.user_id)
        starts: Sequence[int] = ()
        memberships = [b""]  # before the first of `starts`, and from each of them on
        if with_membership and listed:
            intervals = self._viewing.memberships(listed[0].room_nid, viewer.user_nid, viewer.user_id)
            starts = intervals.starts
            memberships = [_MEMBERSHIP[value or "leave"] for value in ("", *intervals.values)]
        now = self._now_ms()
        room = b',"room_id":' + orjson.dumps(listed[0].room_id) if with_room_id and listed else b""
        is_plain = not (sent or bundled or added)
        rendered = []
        for stored, (body, unsigned) in zip(listed, self._parts(listed, with_replaced), strict=True):
            age = now - stored.origin_server_ts
            fields = memberships[bisect_right(starts, stored.main_index)]
            if not is_plain and stored.nid in sent:
                fields += b',"transaction_id":' + orjson.dumps(sent[stored.nid])
            if not is_plain and stored.event_id in bundled:
                fields += b',"m.relations":' + bundled[stored.event_id]
            if stored.redacted_by is not None and (because := self._redacted_because(stored.redacted_by, viewer)):
                fields += b"," + because
            if unsigned and with_replaced:
                fields += b"," + unsigned
            if not is_plain and added.get(stored.event_id):
                fields += b"," + added[stored.event_id]
            rendered.append(b'%b%b,"unsigned":{"age":%d%b}}' % (body, room, age if age > 0 else 0, fields))
        return rendered

    def _parts(self, listed: Sequence[StoredEvent], with_replaced: bool) -> Iterable[_Parts]:
        """The parts of each event that are the same for everybody, from memory where they were needed before."""
        kept = self._cache.get_all([(stored.nid, stored.flags) for stored in listed])
        known = [parts for parts in kept if parts is not None and not (with_replaced and parts[1] is None)]
        return known if len(known) == len(kept) else self._made_parts(listed, kept, with_replaced)

    def _made_parts(
        self, listed: Sequence[StoredEvent], kept: Sequence[_Parts | None], with_replaced: bool
    ) -> Iterator[_Parts]:
        formers: Mapping[EventNid, StoredEvent] = {}
        if with_replaced:
            unknown = [one for one, parts in zip(listed, kept, strict=True) if parts is None or parts[1] is None]
            replaced = self._states.replaced_by(unknown)
            events = self._events.by_nids(replaced.values())
            formers = {nid: events[former] for nid, former in replaced.items() if former in events}
        for stored, parts in zip(listed, kept, strict=True):
            if parts is None or (parts[1] is None and with_replaced):
                yield self._make_parts(stored, parts, formers if with_replaced else None)
            else:
                yield parts

    def _make_parts(
        self, stored: StoredEvent, kept: _Parts | None, formers: Mapping[EventNid, StoredEvent] | None
    ) -> _Parts:
        """`formers` are the events that others took the place of; None where that does not matter."""
        body = encode_body(stored) if kept is None else kept[0]
        unsigned = _replaced(None if formers is None else formers.get(stored.nid))
        parts = (body, None if formers is None and stored.is_state else unsigned)
        self._cache.put((stored.nid, stored.flags), parts, 200 + len(parts[0]) + len(parts[1] or b""))
        return parts

    def _redacted_because(self, redaction: EventNid, viewer: Viewer) -> bytes:
        found = self._events.by_nids((redaction,)).get(redaction)
        if found is None:
            return b""
        return b'"redacted_because":' + self.render((found,), viewer, is_bundled=False, with_membership=False)[0]

    def _sent_by(self, own: list[EventNid], viewer: Viewer) -> dict[EventNid, str]:
        found = self._transactions.of_events(own)
        return {
            nid: txn for nid, (user, scope, txn) in found.items() if (user, scope) == (viewer.user_nid, viewer.scope)
        }


def _replaced(former: StoredEvent | None) -> bytes:
    """`prev_content` and `replaces_state` of a state event that took the place of another, if any."""
    if former is None:
        return b""
    return b'"prev_content":%b,"prev_sender":%b,"replaces_state":%b' % (
        encode(former.content),
        orjson.dumps(former.sender),
        orjson.dumps(former.event_id),
    )


def encode_body(stored: StoredEvent) -> bytes:
    """What every client sees of an event, as a JSON object without its closing brace."""
    event = stored.event
    content = event.content
    body: dict[str, Any] = {"content": content}
    if event.redacts is not None:
        body["redacts"] = event.redacts
        if "redacts" not in content:
            body["content"] = {**content, "redacts": event.redacts}
    body["event_id"] = event.event_id
    body["origin_server_ts"] = event.origin_server_ts
    body["sender"] = event.sender
    if event.state_key is not None:
        body["state_key"] = event.state_key
    body["type"] = event.type
    return encode(body)[:-1]


def stripped(stored: StoredEvent) -> bytes:
    """One event of stripped state, as a JSON object."""
    return encode(
        {"content": stored.content, "sender": stored.sender, "state_key": stored.state_key, "type": stored.type}
    )


def encode(value: Any) -> bytes:
    """JSON as bytes; numbers that only rooms before version 6 may hold are written as Python's own encoder does."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
