"""Keeps the room directory's rows up to date: a consumer of state deltas.

Only changes of what a summary is made of cost anything, so joins and messages do not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable

import orjson

from core.graph.graph import Graph
from core.ids import Position, RoomNid
from core.rooms.discovery import Discovery
from core.rooms.summary_fields import SUMMARY_TYPES, chunk_of
from core.storage.consumers import Apply
from core.storage.log import Kind, Line
from core.storage.room_stats import RoomStats, RoomStatsStore
from core.storage.transaction import Transaction

ROOMS_AT_ONCE = 200
_HIDDEN_RULES = ("invite", "private")


class RoomStatsConsumer:
    """Follows STATE_DELTA lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.stats"
    kinds: Collection[Kind] = (Kind.STATE_DELTA,)

    def __init__(self, graph: Graph, discovery: Discovery, store: RoomStatsStore) -> None:
        self._graph = graph
        self._discovery = discovery
        self._store = store

    def handle(self, lines: list[Line]) -> Apply | None:
        """Renew the rows of rooms whose summary changed."""
        deltas = self._graph.deltas.by_nids([line.reference for line in lines])
        changed = {
            delta.room_nid
            for delta in deltas.values()
            if any(key[0] in SUMMARY_TYPES for key, _, _ in self._graph.states.changes(delta))
        }
        rows = self._rows(changed)
        return (lambda transaction: self._store.put(transaction, rows)) if rows else None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Renew the rows of all rooms."""
        found: list[RoomStats] = []
        after = RoomNid(0)
        while rooms := self._store.rooms_with_state(after, ROOMS_AT_ONCE):
            found += self._rows(rooms)
            after = rooms[-1]

        def apply(transaction: Transaction) -> None:
            self._store.put(transaction, found)

        return apply

    def _rows(self, rooms: Iterable[RoomNid]) -> list[RoomStats]:
        return [self._row(room) for room in rooms]

    def _row(self, room: RoomNid) -> RoomStats:
        summary = self._discovery.known(self._graph.rooms.name(room)).summary
        is_listable = summary["world_readable"] or summary["join_rule"] not in _HIDDEN_RULES
        searched = "\n".join(summary.get(key, "") for key in ("name", "topic", "canonical_alias"))
        shown = chunk_of(summary)
        del shown["num_joined_members"]
        return RoomStats(room, is_listable, summary.get("room_type"), folded(searched), orjson.dumps(shown))


def folded(text: str) -> bytes:
    """Text as it is compared in searches: compatibility forms and case made alike."""
    return unicodedata.normalize("NFKC", text).casefold().encode("utf-8", "replace")
