"""Other machines as plugins reach them: `core.hooks.api.Http`, and none of the door's own liberties."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from core.hooks.api import AddressRanges, HttpAnswer
from core.outbound.addresses import AddressRules
from core.outbound.door import Answer
from core.outbound.web import Web


class PluginHttp:
    """The outbound door, addresses always checked."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._rules: dict[AddressRanges, AddressRules] = {}
        """Made once each, since connections are shared under the same rules; plugins have a few from their settings."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        max_bytes: int = 1_000_000,
    ) -> HttpAnswer:
        """Make one request, redirects followed. Raises Unavailable if there is no answer, Forbidden if refused."""
        return self._web.request(
            method, url, body=body, headers=headers, timeout_ms=timeout_ms, max_bytes=max_bytes, is_guarded=True
        )

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        ranges: AddressRanges | None = None,
    ) -> AbstractContextManager[Answer]:
        """Make one request and lend its answer for the length of the block; redirects are answers like others."""
        rules = None if ranges is None else self._rules_of(ranges)
        return self._web.open_once(method, url, headers=headers, timeout_ms=timeout_ms, rules=rules)

    def _rules_of(self, ranges: AddressRanges) -> AddressRules:
        found = self._rules.get(ranges)
        if found is None:
            found = self._rules[ranges] = AddressRules(ranges.closed, ranges.opened)
        return found
