"""Other machines as plugins reach them: `core.hooks.api.Http`, and none of the door's own liberties."""

from __future__ import annotations

from collections.abc import Mapping

from core.hooks.api import HttpAnswer
from core.outbound.web import Web


class PluginHttp:
    """The outbound door, addresses always checked."""

    def __init__(self, web: Web) -> None:
        self._web = web

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
