"""Keys of remote users' devices, asked of their servers, all at once and for as long as the client waits.

Implements core.encryption's RemoteKeys. Spec: Server-Server API, "End-to-End Encryption".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from gevent.pool import Pool

from core.encryption.remote import Claims, Failures, RemoteKeysClaimed, RemoteKeysFound, Wanted
from core.errors import MatrixError
from core.federation.calls import ServerCalls
from core.ids import ServerName, UserId, server_of

SERVERS_AT_ONCE = 20
MASTER_KEYS = 10_000
"""How many users' master keys are kept; at most about 10 MB."""

Users = Mapping[UserId, Any]


class RemoteDeviceKeys:
    """Asks."""

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls
        self._masters: OrderedDict[UserId, dict[str, Any]] = OrderedDict()

    def query(self, wanted: Wanted, timeout_ms: int) -> RemoteKeysFound:
        """The keys of remote users; a server that does not answer in time is a failure."""
        found = RemoteKeysFound()

        def ask(server: ServerName, users: Users) -> None:
            answer = self._calls.query_keys(
                server, {user: list(devices) for user, devices in users.items()}, timeout_ms
            )
            found.device_keys |= _of_users(answer.get("device_keys"), users)
            found.master_keys |= _of_users(answer.get("master_keys"), users)
            found.self_signing_keys |= _of_users(answer.get("self_signing_keys"), users)

        self._each(wanted, ask, found.failures)
        for user_id, key in found.master_keys.items():
            self._masters[user_id] = key
            if len(self._masters) > MASTER_KEYS:
                self._masters.popitem(last=False)
        return found

    def claim(self, wanted: Claims, timeout_ms: int) -> RemoteKeysClaimed:
        """One-time keys of remote users' devices."""
        found = RemoteKeysClaimed()

        def ask(server: ServerName, users: Users) -> None:
            given: Mapping[str, Any] = self._calls.claim_keys(server, dict(users.items()), timeout_ms)
            found.one_time_keys |= _of_users(given, users)

        self._each(wanted, ask, found.failures)
        return found

    def find_master_key(self, user_id: UserId) -> dict[str, Any] | None:
        """A remote user's master key as it was last told."""
        return self._masters.get(user_id)

    def _each(self, wanted: Users, ask: Callable[[ServerName, Users], None], failures: Failures) -> None:
        by_server: dict[ServerName, dict[UserId, Any]] = {}
        for user_id, asked in wanted.items():
            by_server.setdefault(server_of(user_id), {})[user_id] = asked

        def one(server: ServerName, users: Users) -> None:
            try:
                ask(server, users)
            except MatrixError as error:
                failures[server] = {"errcode": "M_UNREACHABLE", "error": error.sentence}

        pool = Pool(SERVERS_AT_ONCE)
        for server, users in by_server.items():
            pool.spawn(one, server, users)
        pool.join()


def _of_users(given: Any, users: Users) -> dict[UserId, dict[Any, Any]]:
    """What was told of those who were asked for, objects only."""
    told = given if isinstance(given, dict) else {}
    return {user: told[user] for user in users if isinstance(told.get(user), dict)}
