"""The keys this server signs with, and those it used to sign with, as it publishes them.

A key that was rotated out stays among the current ones until the end of its overlap, so that what a server still running
with it signs is believed; then it moves to the old ones, which count for events of their time for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import orjson

from core.events.server_keys import OldVerifyKey, ServerKeys, build_server_keys, parse_server_keys
from core.events.signatures import SigningKey
from core.ids import ServerName

LEAST_VALIDITY_MS = 2 * 3600_000
"""Keys are published as valid for at least this long; the specification wants an hour when they are read."""


class OwnKeys:
    """Publishes our keys. `signing` starts with the one in use; `retired` may name keys that are still in `signing`."""

    def __init__(
        self,
        server_name: ServerName,
        signing: Sequence[SigningKey],
        retired: Mapping[str, OldVerifyKey],
        refresh_ms: int,
        notary_key: SigningKey | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.server_name = server_name
        self.notary_key = notary_key or signing[0]
        """The key that signs other servers' keys when we are their notary."""
        self._signing = tuple(signing)
        self._retired = dict(retired)
        self._validity_ms = max(refresh_ms, LEAST_VALIDITY_MS)
        self._clock = clock
        self._published: ServerKeys | None = None
        self._body = b""

    def published(self) -> bytes:
        """The JSON of the signed object, valid for at least half the refresh interval."""
        self.server_keys()
        return self._body

    def server_keys(self) -> ServerKeys:
        """The same as a value, for events of our own."""
        now = int(self._clock() * 1000)
        known = self._published
        if known is None or known.valid_until_ts - now < self._validity_ms // 2 or now < known.fetched_ts:
            known = self._published = self._build(now)
            self._body = orjson.dumps(known.published)
        return known

    def _build(self, now: int) -> ServerKeys:
        old = {key_id: key for key_id, key in self._retired.items() if key.expired_ts <= now}
        current = [key for key in self._signing if key.key_id not in old]
        ends = [key.expired_ts for key in self._retired.values() if key.expired_ts > now]
        valid_until = min([now + self._validity_ms, *(end for end in ends if end > now + LEAST_VALIDITY_MS)])
        published = build_server_keys(self.server_name, current, old, valid_until)
        return parse_server_keys(published, self.server_name, now)
