"""Who ignores a sender: the lists of ignored users, turned round, in memory.

Spec: Client-Server API, "Ignoring Users".
"""

from __future__ import annotations

import orjson

from core.ids import UserNid
from core.storage.account_data import AccountDataStore
from core.storage.notification_counts import CountStore

_NOBODY: frozenset[UserNid] = frozenset()


class Ignoring:
    """Kept whole: users who ignore anybody are few."""

    def __init__(self, store: CountStore, account_data: AccountDataStore) -> None:
        self._store = store
        self._account_data = account_data
        self._by_sender: dict[str, set[UserNid]] | None = None
        self._lists: dict[UserNid, frozenset[str]] = {}

    def of(self, sender: str) -> frozenset[UserNid] | set[UserNid]:
        """The users who ignore `sender`."""
        return self._all().get(sender, _NOBODY)

    def changed(self, user: UserNid) -> None:
        """A user's account data changed: look at their list again."""
        if self._by_sender is not None:
            self._put(self._by_sender, user, self._account_data.find(user, "m.ignored_user_list"))

    def _all(self) -> dict[str, set[UserNid]]:
        if self._by_sender is None:
            found: dict[str, set[UserNid]] = {}
            for user, content in self._store.ignored_lists():
                self._put(found, user, content)
            self._by_sender = found
        return self._by_sender

    def _put(self, by_sender: dict[str, set[UserNid]], user: UserNid, content: bytes | None) -> None:
        before = self._lists.pop(user, frozenset())
        listed = orjson.loads(content).get("ignored_users") if content is not None else None
        after: frozenset[str] = frozenset(listed) if isinstance(listed, dict) else frozenset()
        if after:
            self._lists[user] = after
        for sender in before - after:
            by_sender[sender].discard(user)
            if not by_sender[sender]:
                del by_sender[sender]
        for sender in after - before:
            by_sender.setdefault(sender, set()).add(user)
