"""Who refers to which media: a consumer of the log.

Any `mxc://` URI anywhere in an event's content counts, so kinds of events not thought of yet do, too. What encrypted
events refer to nobody here can know; see core.media.curation for what follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.graph.graph import Graph
from core.ids import EventNid, Position, UserNid
from core.media.identifiers import parse_mxc
from core.storage.consumers import Apply
from core.storage.log import Kind, Line
from core.storage.media_references import MediaReferenceStore, Referrer
from core.storage.profiles import ProfileStore
from core.storage.transaction import Transaction

_Owner = tuple[int, Collection[tuple[str, str]]]

MAX_REFERENCES = 200
"""References of one event that are kept; an event of 64 KiB could name more, and none in use does."""


def media_in(content: Any) -> set[tuple[str, str]]:
    """(server, media id) of every `mxc://` URI in a JSON value, MAX_REFERENCES at most; depth costs no stack."""
    found: set[tuple[str, str]] = set()
    level: list[Any] = [content]
    while level and len(found) < MAX_REFERENCES:
        value = level.pop()
        if isinstance(value, Mapping):
            level.extend(value.values())
            level.extend(key for key in value if isinstance(key, str) and key.startswith("mxc://"))
        elif isinstance(value, (list, tuple)):
            level.extend(value)
        elif isinstance(value, str) and value.startswith("mxc://"):
            parsed = parse_mxc(value)
            if parsed is not None:
                found.add(parsed)
    return found


class MediaReferences:
    """Follows events, redactions and profiles. Implements core.storage.consumers.Consumer."""

    name = "media.references"
    kinds: Collection[Kind] = (Kind.EVENT, Kind.BACKFILL, Kind.OUT_OF_BAND, Kind.REDACTED, Kind.PROFILE)

    def __init__(self, graph: Graph, profiles: ProfileStore, references: MediaReferenceStore) -> None:
        self._graph, self._profiles, self._references = graph, profiles, references

    def handle(self, lines: list[Line]) -> Apply | None:
        """Write what the events and profiles of these lines refer to."""
        nids = {EventNid(line.reference) for line in lines if line.kind is not Kind.PROFILE}
        users = {UserNid(line.subject) for line in lines if line.kind is Kind.PROFILE}
        redacted = {line.reference for line in lines if line.kind is Kind.REDACTED}
        events: dict[int, _Owner] = {}
        states: dict[int, _Owner] = {}
        for nid, stored in self._graph.events.by_nids(nids).items():
            media = () if stored.type == "m.room.encrypted" else media_in(stored.event.content)
            if media or nid in redacted:
                kept = events if stored.state_key is None else states
                kept[nid] = (stored.room_nid, media)
        fields = self._profiles.find_many(users)
        profiles: dict[int, _Owner] = {user: (0, media_in(fields.get(user))) for user in users}
        if not (events or states or profiles):
            return None

        def apply(transaction: Transaction) -> None:
            self._references.replace(transaction, Referrer.EVENT, events)
            self._references.replace(transaction, Referrer.STATE, states)
            self._references.replace(transaction, Referrer.PROFILE, profiles)

        return apply

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: lines of events and profiles are kept as long as those."""
        return None
