"""Who asked for erasure, in memory, kept up by the log. Few do."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from core.ids import UserNid
from core.storage.log import Kind, Line
from core.storage.users import UserStore


class ErasedUsers:
    """Implements core.graph.erasure.ErasedUsers. Register `follow` with the log's tail."""

    followed = (Kind.USER_STATUS,)
    """The kinds of lines it hears of."""

    def __init__(self, users: UserStore) -> None:
        self._users = users
        self._nids = frozenset(users.erased())
        self._changed: set[UserNid] = set()

    @property
    def nids(self) -> Collection[UserNid]:
        """Their numbers. Reads the rows of users whose standing changed since the last time, if any did."""
        if self._changed:
            changed, self._changed = self._changed, set()
            found = self._users.find_many(changed)
            erased = {nid for nid, user in found.items() if user.is_erased}
            self._nids = (self._nids - changed) | erased
        return self._nids

    def follow(self, lines: Iterable[Line]) -> None:
        """Note whose standing changed; the rows are read later, outside the writer."""
        self._changed.update(UserNid(line.subject) for line in lines if line.kind is Kind.USER_STATUS)
