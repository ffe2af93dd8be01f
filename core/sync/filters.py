"""The filter of a sync: stored under an id, or written out in the request. Either is parsed once and remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

import orjson

from core.errors import InvalidParam, NotFound, NotJson
from core.events.event_filter import SyncFilter, parse_filter
from core.ids import UserNid

INLINE_FILTERS = 2_000
"""So many written-out filters are remembered."""
MAX_INLINE_BYTES = 65_536

NO_FILTER = SyncFilter()


class StoredFilters(Protocol):
    """Filters that were stored; implemented by accounts."""

    def parsed(self, user_nid: UserNid, filter_id: str) -> SyncFilter:
        """A stored filter. Raises NotFound."""


class SyncFilters:
    """Finds the filter that a `filter` parameter means; `excluded` are rooms that every filter leaves out."""

    def __init__(self, stored: StoredFilters, excluded: Collection[str] = ()) -> None:
        self._stored = stored
        self._excluded = frozenset(excluded)
        self._inline: OrderedDict[str, SyncFilter] = OrderedDict()

    def find(self, user_nid: UserNid, parameter: str | None) -> SyncFilter:
        """The filter. Raises InvalidParam for an unknown id, NotJson and BadJson (400) for what cannot be a filter."""
        found = self._find(user_nid, parameter)
        if not self._excluded:
            return found
        return replace(found, room=replace(found.room, not_rooms=found.room.not_rooms | self._excluded))

    def _find(self, user_nid: UserNid, parameter: str | None) -> SyncFilter:
        """As `find`, with no room left out."""
        if not parameter:
            return NO_FILTER
        if parameter[0] == "{":
            return self._inline.get(parameter) or self._parse(parameter)
        try:
            return self._stored.parsed(user_nid, parameter)
        except NotFound as error:
            raise InvalidParam(f"You have no filter with the id {parameter[:100]!r}; store it first.") from error

    def _parse(self, text: str) -> SyncFilter:
        if len(text) > MAX_INLINE_BYTES:
            raise InvalidParam(f"The filter is longer than {MAX_INLINE_BYTES} bytes; store it and use its id.")
        if text.count("{") + text.count("[") > 1000:
            raise NotJson("The filter is nested too deeply.")
        try:
            body = orjson.loads(text)
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            raise NotJson("The filter begins with a brace, but is no JSON object.") from error
        found = self._inline[text] = parse_filter(body)
        if len(self._inline) > INLINE_FILTERS:
            self._inline.popitem(last=False)
        return found
