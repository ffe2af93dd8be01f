"""Notaries: servers asked for the keys of others. Spec: Server-Server API, "Querying Keys Through Another Server"."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nacl.signing import VerifyKey

from core.errors import MatrixError
from core.events.server_keys import ServerKeys, parse_server_keys
from core.events.signatures import signatures_of, verify_json
from core.federation.calls.key_calls import SERVERS_PER_QUERY, KeyCalls
from core.ids import ServerName

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Keys of one server: their ids (none means whatever it has), and until when a current one must be valid."""

    key_ids: frozenset[str]
    minimum_valid_until_ts: int

    def is_met_by(self, keys: ServerKeys, key_id: str) -> bool:
        """Whether an object settles the question of one key."""
        if key_id in keys.old_verify_keys:
            return True
        return key_id in keys.verify_keys and keys.trusted_until_ts >= self.minimum_valid_until_ts


@dataclass(frozen=True, slots=True)
class Notary:
    """`keys` are configured; none means that the notary's published ones count."""

    server: ServerName
    keys: Mapping[str, VerifyKey]


class Notaries:
    """Asks notaries in the order of the configuration."""

    def __init__(self, notaries: Sequence[Notary], calls: KeyCalls, clock: Callable[[], float] = time.time) -> None:
        self._notaries = notaries
        self._calls = calls
        self._clock = clock

    def ask(
        self,
        wanted: Mapping[ServerName, Wanted],
        keys_of: Callable[[ServerName], Mapping[str, VerifyKey]],
    ) -> Iterator[list[ServerKeys]]:
        """What each notary says of the servers wanted, verified; the caller stops when it has enough."""
        for notary in self._notaries:
            asked = {server: want for server, want in wanted.items() if server != notary.server}
            found: list[ServerKeys] = []
            try:
                keys = notary.keys or (keys_of(notary.server) if asked else {})
                for some in _parts(asked):
                    found += self._of(notary.server, keys, some)
            except MatrixError as error:
                logger.info("The notary %s was of no use: %s", notary.server, error.sentence)
            if found:
                yield found

    def _of(
        self, notary: ServerName, keys: Mapping[str, VerifyKey], wanted: Mapping[ServerName, Wanted]
    ) -> list[ServerKeys]:
        asked = {server: (want.key_ids, want.minimum_valid_until_ts) for server, want in wanted.items()}
        now = int(self._clock() * 1000)
        found = []
        for published in self._calls.from_notary(notary, asked):
            server = published.get("server_name")
            try:
                if not isinstance(server, str) or server not in wanted:
                    continue
                _require_signature(published, notary, keys)
                found.append(parse_server_keys(published, server, now))
            except MatrixError as error:
                logger.warning("The notary %s gave bad keys of %s: %s", notary, server, error.sentence)
        return found


def _require_signature(published: Mapping[str, Any], notary: ServerName, keys: Mapping[str, VerifyKey]) -> None:
    """Raise BadSignature unless the notary signed the object with a key known to be its own."""
    claimed = [key_id for key_id in signatures_of(published, notary) if key_id in keys]
    key_id = claimed[0] if claimed else next(iter(keys), "ed25519:")
    verify_json(published, notary, key_id, keys[key_id] if keys else VerifyKey(bytes(32)))


def _parts(wanted: Mapping[ServerName, Wanted]) -> Iterator[dict[ServerName, Wanted]]:
    names = list(wanted)
    for start in range(0, len(names), SERVERS_PER_QUERY):
        yield {name: wanted[name] for name in names[start : start + SERVERS_PER_QUERY]}
