"""Whom a user ignores: read out of their account data, and kept until that changes.

Spec: Client-Server API, "Ignoring Users".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import orjson

from core.ids import UserId, UserNid
from core.storage.account_data import AccountDataStore
from core.storage.log import Kind, Line

MAX_KEPT = 50_000
"""Of so many users it is kept in memory whom they ignore."""

_NOBODY: frozenset[UserId] = frozenset()


class IgnoredUsers:
    """Lists of ignored users. `name_of` says who a number is; `follow` must be given to the log's tail."""

    followed = (Kind.ACCOUNT_DATA,)
    """The kinds of lines it hears of."""

    def __init__(self, store: AccountDataStore, name_of: Callable[[int], str]) -> None:
        self._store = store
        self._name_of = name_of
        self._kept: OrderedDict[UserNid, frozenset[UserId]] = OrderedDict()
        self._changes = 0

    def of(self, user_nid: UserNid) -> frozenset[UserId]:
        """Whom the user ignores, never themselves; nobody where the list is missing or is none."""
        found = self._kept.get(user_nid)
        if found is not None:
            return found
        changes = self._changes
        found = _read(self._store.find(user_nid, "m.ignored_user_list"))
        if found:
            found -= {self._name_of(user_nid)}
        if changes == self._changes:  # what was read while something changed may be old
            self._kept[user_nid] = found
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: forget what has changed."""
        for line in lines:
            if line.kind is Kind.ACCOUNT_DATA:
                self._changes += 1
                self._kept.pop(UserNid(line.subject), None)


def _read(content: bytes | None) -> frozenset[UserId]:
    listed = orjson.loads(content).get("ignored_users") if content is not None else None
    return frozenset(UserId(user) for user in listed) if isinstance(listed, dict) else _NOBODY
