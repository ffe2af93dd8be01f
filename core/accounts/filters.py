"""Filters: stored for the user by number, handed to /sync parsed. A stored filter never changes, so it is kept parsed.

Spec: Client-Server API, "Filtering".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import Forbidden, NotFound
from core.events.event_filter import SyncFilter, parse_filter
from core.ids import Requester, UserId, UserNid
from core.storage.filters import FilterStore
from core.storage.writer import Writer

MAX_FILTERS = 5_000
"""Filters kept of one user; older ones are forgotten, and clients store them again."""
MAX_KEPT = 20_000
"""Parsed filters in memory; the oldest tenth goes first."""


class Filters:
    """Stores and finds filters."""

    def __init__(self, store: FilterStore, writer: Writer) -> None:
        self._store = store
        self._writer = writer
        self._parsed: dict[tuple[UserNid, str], SyncFilter] = {}

    def add(self, requester: Requester, user_id: UserId, body: Mapping[str, Any]) -> str:
        """Store a filter and return its id. Raises: `Forbidden`, `BadJson`."""
        _check_own(requester, user_id)
        parse_filter(body)
        content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(content).digest()
        user_nid = requester.user_nid
        number = self._store.find_same(user_nid, digest)
        if number is None:
            number = self._writer.submit(
                lambda transaction: self._store.add(transaction, user_nid, digest, content, MAX_FILTERS), user_nid
            )
        return str(number)

    def get(self, requester: Requester, user_id: UserId, filter_id: str) -> bytes:
        """The filter as it was stored, as JSON. Raises: `Forbidden`, `NotFound`."""
        _check_own(requester, user_id)
        return self._content(requester.user_nid, filter_id)

    def parsed(self, user_nid: UserNid, filter_id: str) -> SyncFilter:
        """A stored filter, ready for use; from memory after the first time. Raises: `NotFound`."""
        key = (user_nid, filter_id)
        found = self._parsed.get(key)
        if found is None:
            found = parse_filter(orjson.loads(self._content(user_nid, filter_id)))
            if len(self._parsed) >= MAX_KEPT:
                for old in list(self._parsed)[: MAX_KEPT // 10]:
                    del self._parsed[old]
            self._parsed[key] = found
        return found

    def _content(self, user_nid: UserNid, filter_id: str) -> bytes:
        is_number = filter_id.isascii() and filter_id.isdigit() and len(filter_id) <= 9
        content = self._store.find(user_nid, int(filter_id)) if is_number else None
        if content is None:
            raise NotFound("There is no filter of this id; store it again.")
        return content


def _check_own(requester: Requester, user_id: UserId) -> None:
    if requester.user_id != user_id:
        raise Forbidden("You may read and store only your own filters.")
