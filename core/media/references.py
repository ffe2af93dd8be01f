"""Who refers to which media: a consumer of the log.

Any `mxc://` URI anywhere in a content counts, also within a text, so kinds of events not thought of yet do, too. What
encrypted events refer to nobody here can know; see core.media.curation for what follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from core.graph.graph import Graph
from core.ids import EventNid, Position, UserNid
from core.media.identifiers import parse_mxc
from core.storage.account_data import AccountDataStore
from core.storage.consumers import Apply
from core.storage.cursors import CursorStore
from core.storage.log import Kind, Line, LogReader
from core.storage.media_references import MediaReferenceStore, Referrer
from core.storage.profiles import ProfileStore
from core.storage.transaction import Transaction

_OTHERS = frozenset({Kind.PROFILE, Kind.ACCOUNT_DATA, Kind.ROOM_ACCOUNT_DATA})
_Owner = tuple[int, Collection[tuple[str, str]]]

NAME = "media.references"
KINDS = frozenset(
    {
        Kind.EVENT, Kind.BACKFILL, Kind.OUT_OF_BAND, Kind.REDACTED, Kind.PROFILE, Kind.ACCOUNT_DATA,
        Kind.ROOM_ACCOUNT_DATA,
    }
)  # fmt: skip
MAX_REFERENCES = 10_000
"""References of one content that are kept; no event has room for more."""
_URI = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9_-]{1,255}")


def media_in(content: Any) -> set[tuple[str, str]]:
    """(server, media id) of every `mxc://` URI in a JSON value, MAX_REFERENCES at most; depth costs no stack."""
    found: set[tuple[str, str]] = set()
    level: list[Any] = [content]
    while level and len(found) < MAX_REFERENCES:
        value = level.pop()
        if isinstance(value, Mapping):
            level.extend(value.values())
            level.extend(value.keys())
        elif isinstance(value, (list, tuple)):
            level.extend(value)
        elif isinstance(value, str) and "mxc://" in value:
            found.update(parsed for uri in _URI.findall(value) if (parsed := parse_mxc(uri)) is not None)
    return found


def has_seen_all(log: LogReader, cursors: CursorStore) -> bool:
    """Whether nothing that may refer to media is still to be looked through."""
    return not log.lines(cursors.find(NAME) or 0, log.tip(), KINDS, limit=1)


class MediaReferences:
    """Follows events, redactions, profiles and account data. Implements core.storage.consumers.Consumer."""

    name = NAME
    kinds: Collection[Kind] = KINDS

    def __init__(
        self, graph: Graph, profiles: ProfileStore, account_data: AccountDataStore, references: MediaReferenceStore
    ) -> None:
        self._graph, self._profiles, self._references = graph, profiles, references
        self._account_data = account_data

    def handle(self, lines: list[Line]) -> Apply | None:
        """Write what the events, profiles and account data of these lines refer to."""
        nids = {EventNid(line.reference) for line in lines if line.kind not in _OTHERS}
        users = {UserNid(line.subject) for line in lines if line.kind is Kind.PROFILE}
        own = {line.reference for line in lines if line.kind in _OTHERS and line.kind is not Kind.PROFILE}
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
        profiles = self._worth_writing(Referrer.PROFILE, profiles)
        contents = self._account_data.contents_of(own)
        own_data: dict[int, _Owner] = {nid: (0, _media_in_json(contents.get(nid, b""))) for nid in own}
        own_data = self._worth_writing(Referrer.ACCOUNT_DATA, own_data)
        if not (events or states or profiles or own_data):
            return None

        def apply(transaction: Transaction) -> None:
            self._references.replace(transaction, Referrer.EVENT, events)
            self._references.replace(transaction, Referrer.STATE, states)
            self._references.replace(transaction, Referrer.PROFILE, profiles)
            self._references.replace(transaction, Referrer.ACCOUNT_DATA, own_data)

        return apply

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: lines of events and profiles are kept as long as those."""
        return None

    def _worth_writing(self, kind: Referrer, owners: dict[int, _Owner]) -> dict[int, _Owner]:
        """Nothing where none refers to media, or did before, as most do not."""
        has_media = any(media for _, media in owners.values())
        return owners if has_media or self._references.has_any(kind, owners) else {}


def _media_in_json(content: bytes) -> set[tuple[str, str]]:
    return media_in(orjson.loads(content)) if b"mxc:" in content or b"\\" in content else set()
