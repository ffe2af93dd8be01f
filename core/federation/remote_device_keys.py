"""Keys of remote users' devices: what is known of them, and the rest asked of their servers, all at once.

Servers are asked for as long as the client waits. Implements core.encryption's RemoteKeys.
Spec: Server-Server API, "Device Management", "End-to-End Encryption".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevent.event import AsyncResult
from gevent.pool import Pool

from core.encryption.remote import Claims, Failures, RemoteKeysClaimed, RemoteKeysFound, Wanted
from core.errors import MatrixError
from core.federation.calls import ServerCalls
from core.federation.remote_devices import KnownRemoteDevices, with_name
from core.federation.remote_errors import RemoteRefusal
from core.ids import DeviceId, ServerName, UserId, server_of
from core.outbound.failures import NoAnswer
from core.storage.remote_devices import UNKNOWN, RemoteDevices

SERVERS_AT_ONCE = 20
MASTER_KEYS = 10_000
"""How many users' master keys are kept in memory; at most about 10 MB."""
WHOLE_LISTS = 10
"""Of how many users of a server the numbered lists are asked for; the keys of more come in one answer, unnumbered."""

Users = Mapping[UserId, Any]
Answers = dict[UserId, RemoteDevices]


class RemoteDeviceKeys:
    """Asks, and remembers."""

    def __init__(self, calls: ServerCalls, known: KnownRemoteDevices) -> None:
        self._calls = calls
        self._known = known
        self._masters: OrderedDict[UserId, dict[str, Any]] = OrderedDict()
        self._underway: dict[tuple[UserId, int], AsyncResult[RemoteDevices | None]] = {}
        """Lists that are being asked for, by user and what made them doubtful."""

    def query(self, wanted: Wanted, timeout_ms: int) -> RemoteKeysFound:
        """The keys of remote users. A server that does not answer in time is a failure, and what was known is told."""
        found, known = RemoteKeysFound(), self._known.find(wanted.keys())
        asked = {user: devices for user, devices in wanted.items() if user not in known or not known[user].is_current}
        answers: Answers = {}

        def ask(server: ServerName, users: Users) -> None:
            shared = [user for user in users if user in known]
            lists = self._lists(server, shared, timeout_ms) if len(shared) <= WHOLE_LISTS else {}
            others = {user: () if user in known else ids for user, ids in users.items() if user not in lists}
            told = self._ask_at_once(server, others, timeout_ms)
            self._known.keep({user: known[user].generation for user in told if user in known}, told)
            answers.update({**lists, **told})

        self._each(asked, ask, found.failures)
        for user, devices in wanted.items():
            told = answers.get(user) or known.get(user)
            if told is not None and (user in answers or told.is_current or told.devices):
                _show(found, user, devices, told)
        for user, key in found.master_keys.items():
            self._masters[user] = key
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
        known = self._known.find((user_id,)).get(user_id)
        told = None if known is None else known.cross_signing.get("master")
        return told or self._masters.get(user_id)

    def resynchronise(self, user_id: UserId, timeout_ms: int) -> None:
        """Ask for the list of a user whose list is doubtful and who shares a room with us. Raises MatrixError."""
        self._list(server_of(user_id), user_id, timeout_ms)

    def _lists(self, server: ServerName, users: Sequence[UserId], timeout_ms: int) -> Answers:
        """The numbered lists of some users of a server, as far as it has them. Raises the first one's MatrixError."""
        lists: Answers = {}
        failures: list[MatrixError] = []

        def ask(user: UserId) -> None:
            try:
                told = self._list(server, user, timeout_ms)
            except MatrixError as error:
                failures.append(error)
            else:
                lists.update({} if told is None else {user: told})

        pool = Pool(WHOLE_LISTS)
        for user in users:
            pool.spawn(ask, user)
        pool.join()
        if failures:
            raise failures[0]
        return lists

    def _list(self, server: ServerName, user: UserId, timeout_ms: int) -> RemoteDevices | None:
        """One user's numbered list, with which announcements go on, kept; all who want it share one question.

        None where the server has none, or no room is shared with the user.
        """
        known = self._known.find((user,)).get(user)
        if known is None or known.is_current:
            return known
        key = (user, known.generation)
        running = self._underway.get(key)
        if running is not None:
            return running.get()  # type: ignore[no-any-return]  # gevent ships no type for it
        running = self._underway[key] = AsyncResult()
        try:
            told = self._ask_for_list(server, user, timeout_ms)
            if told is not None:
                self._known.keep({user: known.generation}, {user: told})
            running.set(told)
            return told
        except BaseException as error:
            running.set_exception(error if isinstance(error, MatrixError) else NoAnswer(f"{server} was not asked."))
            raise
        finally:
            del self._underway[key]

    def _ask_for_list(self, server: ServerName, user: UserId, timeout_ms: int) -> RemoteDevices | None:
        try:
            told = self._calls.devices(user, server, timeout_ms)
        except RemoteRefusal:
            return None
        listed = {
            one["device_id"]: with_name(one["keys"], one.get("device_display_name"))
            for one in told["devices"]
            if isinstance(one.get("device_id"), str) and isinstance(one.get("keys"), dict)
        }
        stream_id = told.get("stream_id")
        return RemoteDevices(
            0,
            stream_id if type(stream_id) is int else UNKNOWN,
            True,
            listed,
            {usage: told[f"{usage}_key"] for usage in _USAGES if isinstance(told.get(f"{usage}_key"), dict)},
        )

    def _ask_at_once(self, server: ServerName, users: Users, timeout_ms: int) -> Answers:
        answers: Answers = {}
        if not users:
            return answers
        told = self._calls.query_keys(server, {user: list(ids) for user, ids in users.items()}, timeout_ms)
        devices = _of_users(told.get("device_keys"), users)
        crossed = {usage: _of_users(told.get(f"{usage}_keys"), users) for usage in _USAGES}
        for user in users:
            keys = {usage: of_users[user] for usage, of_users in crossed.items() if user in of_users}
            if user in devices or keys:
                answers[user] = RemoteDevices(0, UNKNOWN, True, devices.get(user, {}), keys)
        return answers

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


_USAGES = ("master", "self_signing")


def _show(found: RemoteKeysFound, user: UserId, only: Sequence[DeviceId], told: RemoteDevices) -> None:
    """Put one user's keys into an answer: of the devices asked for, or of all."""
    found.device_keys[user] = {
        DeviceId(device): keys for device, keys in told.devices.items() if not only or device in only
    }
    for usage, part in (("master", found.master_keys), ("self_signing", found.self_signing_keys)):
        if usage in told.cross_signing:
            part[user] = told.cross_signing[usage]


def _of_users(given: Any, users: Users) -> dict[UserId, dict[Any, Any]]:
    """What was told of those who were asked for, objects only."""
    told = given if isinstance(given, dict) else {}
    return {user: told[user] for user in users if isinstance(told.get(user), dict)}
