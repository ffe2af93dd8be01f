"""Asking for keys: a server for its own, a notary for those of others.

Spec: Server-Server API, "Retrieving server keys".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.federation.calls import shapes
from core.federation.signed_client import Patience, SignedClient
from core.ids import ServerName

KEY_TIMEOUT_MS = 10_000
NOTARY_TIMEOUT_MS = 20_000
MAX_KEYS_BYTES = 262_144
"""Longest key object read: 256 KiB."""
MAX_NOTARY_BYTES = 10_485_760
SERVERS_PER_QUERY = 100
"""How many servers one question to a notary names."""


class KeyCalls:
    """Fetches key objects, unverified."""

    def __init__(self, client: SignedClient) -> None:
        self._client = client

    def own(self, server: ServerName, is_urgent: bool = False) -> dict[str, Any]:
        """The object a server publishes; `is_urgent` asks one that has been down as well."""
        patience = Patience(KEY_TIMEOUT_MS, 0, 0, is_urgent)
        return self._client.ask_unsigned(server, "/_matrix/key/v2/server", None, patience, MAX_KEYS_BYTES)

    def from_notary(
        self, notary: ServerName, wanted: Mapping[ServerName, tuple[Collection[str], int]]
    ) -> list[dict[str, Any]]:
        """The objects a notary has of servers: name to (key ids, the time until which they should be valid)."""
        criteria = {
            server: {key_id: {"minimum_valid_until_ts": until} for key_id in key_ids}
            for server, (key_ids, until) in wanted.items()
        }
        patience = Patience(NOTARY_TIMEOUT_MS, 0, 0)
        found = self._client.ask_unsigned(
            notary, "/_matrix/key/v2/query", {"server_keys": criteria}, patience, MAX_NOTARY_BYTES
        )
        return shapes.objects(notary, found, "server_keys")
