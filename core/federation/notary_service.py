"""Being a notary: handing on other servers' keys with our signature added, old ones of servers that are gone included.

Spec: Server-Server API, "Querying Keys Through Another Server".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gevent.lock import BoundedSemaphore

from core.errors import LimitExceeded
from core.events.server_keys import ServerKeys
from core.events.signatures import sign_json
from core.federation.allowed_servers import AllowedServers
from core.federation.keyring import KeyRing
from core.federation.notaries import Wanted
from core.federation.own_keys import OwnKeys
from core.federation.server_names import find_name_parts
from core.ids import ServerName

CALLERS_AT_ONCE = 10
MAX_OBJECTS = 10
"""Most objects of one server that are handed on."""


class NotaryService:
    """Answers questions about keys."""

    def __init__(
        self, own: OwnKeys, ring: KeyRing, allowed: AllowedServers, clock: Callable[[], float] = time.time
    ) -> None:
        self._own = own
        self._ring = ring
        self._allowed = allowed
        self._clock = clock
        self._slots = BoundedSemaphore(CALLERS_AT_ONCE)

    def answer(self, asked: Mapping[str, Mapping[str, int | None]]) -> list[dict[str, Any]]:
        """The signed objects of the servers asked for: name to key id to the time until which it should be valid.

        No key ids mean all; no time means now. Nothing is said of servers that are unknown and do not answer.
        Raises LimitExceeded where too many ask at once.
        """
        now = int(self._clock() * 1000)
        wanted = {
            ServerName(server): Wanted(
                frozenset(keys), max((until if until is not None else now for until in keys.values()), default=now)
            )
            for server, keys in asked.items()
            if server == self._own.server_name or (self._allowed.allows(server) and find_name_parts(server))
        }
        self._fetch({server: self._renewed(server, want, now) for server, want in wanted.items()})
        return [
            sign_json(keys.published, self._own.server_name, self._own.notary_key)
            for server, want in wanted.items()
            for keys in self._fitting(server, want)
        ]

    def _fetch(self, wanted: Mapping[ServerName, Wanted]) -> None:
        """Fetch for a few callers at a time: anybody may ask, and each question can cost many connections."""
        if not self._slots.acquire(blocking=False):
            raise LimitExceeded("This server is fetching keys for others already; ask again.", retry_after_ms=2_000)
        try:
            self._ring.fetch(wanted)
        finally:
            self._slots.release()

    def _renewed(self, server: ServerName, want: Wanted, now: int) -> Wanted:
        """What to fetch: an object past half its life is asked for anew, so that nothing stale is handed on."""
        newest = next(iter(self._ring.known(server)), None)
        if newest is None or want.minimum_valid_until_ts > now:
            return want
        half = newest.fetched_ts + (newest.valid_until_ts - newest.fetched_ts) // 2
        key_ids = want.key_ids or frozenset(newest.verify_keys)
        return Wanted(key_ids, now if now < half else newest.trusted_until_ts + 1)

    def _fitting(self, server: ServerName, want: Wanted) -> list[ServerKeys]:
        """The newest object, and older ones that alone hold a key asked for."""
        known = self._ring.known(server)
        held: set[str] = set()
        fitting: list[ServerKeys] = []
        for keys in known[:MAX_OBJECTS]:
            names = {*keys.verify_keys, *keys.old_verify_keys}
            if not fitting or (names & want.key_ids) - held:
                fitting.append(keys)
                held |= names
        return fitting
