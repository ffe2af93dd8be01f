"""The key ring: which key of which server counts, from memory, the database, the server itself, or a notary.

One fetch serves all who wait for it; a server is asked for its keys at most once a minute, and ever more seldom while
it does not answer. For a request it seems to have signed, so that it is likely up, it is asked after ten seconds.
What a notary says must carry its signature as well as that of the server it speaks of.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson
from gevent.pool import Pool
from nacl.signing import VerifyKey

from core.errors import BadSignature, MatrixError
from core.events.server_keys import ServerKeys, parse_server_keys
from core.federation.calls.key_calls import KeyCalls
from core.federation.notaries import Notaries, Wanted
from core.federation.own_keys import OwnKeys
from core.ids import ServerName
from core.outbound.single_flight import SingleFlight
from core.storage.server_keys import PublishedKeys, ServerKeyStore
from core.storage.writer import Transaction, Writer

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 5_000
"""How many servers' keys are kept in memory."""
REFRESH_SECONDS = 60.0
"""How long after asking a server for its keys it is not asked again, whatever came of it."""
URGENT_SECONDS = 10.0
"""The same where a request waits that the server has signed, with a key that is not known."""
LONGEST_FAILURE_SECONDS = 3600.0
AT_ONCE = 20
"""How many servers are asked for their keys at the same time."""
MANY = 10
"""From how many servers on notaries are asked before the servers themselves, for all in one question."""


@dataclass(slots=True)
class _Tried:
    """When a server was last asked for its keys, and how often in vain."""

    at: float
    failures: int

    def is_recent(self, now: float, is_urgent: bool) -> bool:
        if is_urgent:
            return self.at <= now < self.at + URGENT_SECONDS
        pause: float = min(REFRESH_SECONDS * 2 ** min(self.failures, 10), LONGEST_FAILURE_SECONDS)
        return self.at <= now < self.at + pause


class KeyRing:
    """Knows other servers' keys, and our own."""

    def __init__(
        self,
        own: OwnKeys,
        store: ServerKeyStore,
        writer: Writer,
        calls: KeyCalls,
        notaries: Notaries,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._own = own
        self._store = store
        self._writer = writer
        self._calls = calls
        self._notaries = notaries
        self._clock = clock
        self._known: OrderedDict[ServerName, tuple[ServerKeys, ...]] = OrderedDict()
        self._tried: OrderedDict[ServerName, _Tried] = OrderedDict()
        self._flights: SingleFlight[ServerName, None] = SingleFlight()

    def known(self, server: ServerName) -> tuple[ServerKeys, ...]:
        """The key objects of a server that are here, newest first; nothing is fetched."""
        if server == self._own.server_name:
            return (self._own.server_keys(),)
        found = self._known.get(server)
        if found is None:
            found = tuple(self._load(server))
            self._remember(server, found)
        else:
            self._known.move_to_end(server)
        return found

    def for_request(self, server: ServerName, key_id: str) -> VerifyKey:
        """The key with which `server` may sign a request now. Raises BadSignature, saying why there is none."""
        wanted = Wanted(frozenset({key_id}), self._now_ms())
        found = self._find_for_request(server, key_id)
        if found is None:
            self._fetch_one(server, wanted, is_urgent=True)
            found = self._find_for_request(server, key_id)
        if found is not None:
            return found
        known = self.known(server)
        if not known:
            raise BadSignature(f"The keys of {server} could not be fetched.")
        if any(key_id in keys.verify_keys for keys in known):
            raise BadSignature(f"The key {key_id} of {server} is no longer valid.")
        raise BadSignature(f"{server} does not publish a key {key_id}.")

    def fetch(self, wanted: Mapping[ServerName, Wanted]) -> None:
        """Fetch keys until what is wanted is known, or nobody has it. See `known` for what came.

        Raises Unavailable where the database is away; servers that do not answer are no error.
        """
        missing = {server: want for server, want in wanted.items() if not self._has(server, want)}
        if len(missing) >= MANY:
            self._ask_notaries(missing)
            missing = {server: want for server, want in missing.items() if not self._has(server, want)}
        if len(missing) == 1:
            ((server, want),) = missing.items()
            self._fetch_one(server, want)
        elif missing:
            pool = Pool(AT_ONCE)
            for server, want in missing.items():
                pool.spawn(self._fetch_one, server, want)
            pool.join(raise_error=True)

    def _find_for_request(self, server: ServerName, key_id: str) -> VerifyKey | None:
        now = self._now_ms()
        return next((key for keys in self.known(server) if (key := keys.for_request(key_id, now))), None)

    def _has(self, server: ServerName, want: Wanted) -> bool:
        """Whether for each key wanted there is an object in which it is old, or current for as long as wanted."""
        known = self.known(server)
        if server == self._own.server_name:
            return True
        return all(any(want.is_met_by(keys, key_id) for keys in known) for key_id in want.key_ids) and bool(known)

    def _fetch_one(self, server: ServerName, want: Wanted, is_urgent: bool = False) -> None:
        if server != self._own.server_name:
            self._flights.do(server, lambda: self._ask_server(server, want, is_urgent))

    def _ask_server(self, server: ServerName, want: Wanted, is_urgent: bool) -> None:
        tried = self._tried.pop(server, None) or _Tried(-LONGEST_FAILURE_SECONDS, 0)
        self._tried[server] = tried
        if tried.is_recent(self._clock(), is_urgent):
            return
        while len(self._tried) > MAX_REMEMBERED:
            self._tried.popitem(last=False)
        tried.at, tried.failures = self._clock(), tried.failures + 1
        try:
            published = self._calls.own(server, is_urgent)
            self._take_in([parse_server_keys(published, server, self._now_ms())])
            tried.failures = 0
        except MatrixError as error:
            logger.info("The keys of %s could not be fetched from it: %s", server, error)
        if not self._has(server, want):
            self._ask_notaries({server: want})

    def _ask_notaries(self, wanted: Mapping[ServerName, Wanted]) -> None:
        for found in self._notaries.ask(wanted, self._notary_keys):
            self._take_in(found)
            wanted = {server: want for server, want in wanted.items() if not self._has(server, want)}
            if not wanted:
                return

    def _notary_keys(self, notary: ServerName) -> Mapping[str, VerifyKey]:
        """The current keys of a notary for which none are configured."""
        self._fetch_one(notary, Wanted(frozenset(), self._now_ms()))
        now = self._now_ms()
        return {key_id: key for keys in self.known(notary) for key_id, key in keys.verify_keys.items()
                if now <= keys.trusted_until_ts}  # fmt: skip

    def _take_in(self, found: Collection[ServerKeys]) -> None:
        """Keep objects that say something newer, in memory and on record."""
        rows = []
        for keys in found:
            key_ids = {*keys.verify_keys, *keys.old_verify_keys}
            for older in self.known(keys.server_name):
                if older.valid_until_ts > keys.valid_until_ts:
                    key_ids -= {*older.verify_keys, *older.old_verify_keys}
            if key_ids:
                published = orjson.dumps(keys.published)
                row = PublishedKeys(keys.server_name, keys.fetched_ts, keys.valid_until_ts, published)
                rows.append((row, key_ids))
        if not rows:
            return

        def write(transaction: Transaction) -> None:
            for row, key_ids in rows:
                self._store.set(transaction, row, key_ids)

        self._writer.submit(write)
        for server in {row.server_name for row, _ in rows}:
            self._remember(server, tuple(self._load(server)))

    def _load(self, server: ServerName) -> Sequence[ServerKeys]:
        found = []
        for kept in self._store.find(server):
            try:
                found.append(parse_server_keys(orjson.loads(kept.published), server, kept.fetched_ts))
            except MatrixError:  # kept by a release that was less strict
                continue
        return found

    def _remember(self, server: ServerName, keys: tuple[ServerKeys, ...]) -> None:
        self._known[server] = keys
        self._known.move_to_end(server)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
