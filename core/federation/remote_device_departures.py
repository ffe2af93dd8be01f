"""When what is known of a remote user's devices may have missed a change: when somebody came or went in between.

Changes are announced to us only while a room is shared. So a list is doubtful once its user's membership changed
anywhere, and so are those of a whole room when the only local user comes to it or leaves it.
"""

from __future__ import annotations

from collections.abc import Collection

from core.ids import Position, RoomNid, ServerName, UserId, UserNid, server_of
from core.storage.consumers import Apply
from core.storage.interning import Interner
from core.storage.log import Kind, Line
from core.storage.remote_devices import RemoteDeviceStore
from core.storage.writer import Transaction


class RemoteDeviceDepartures:
    """Follows state deltas. Implements core.storage.consumers.Consumer."""

    name = "federation.remote_devices"
    kinds: Collection[Kind] = (Kind.STATE_DELTA,)

    def __init__(self, own: ServerName, store: RemoteDeviceStore, interner: Interner) -> None:
        self._own = own
        self._store = store
        self._interner = interner

    def handle(self, lines: list[Line]) -> Apply | None:
        """Doubt the lists of those who moved."""
        member_type, own = self._interner.find("m.room.member"), self._interner.find(self._own)
        if member_type is None or own is None or not self._store.has_any():
            return None
        moved = self._store.moved([line.reference for line in lines], member_type)
        texts = self._interner.texts({user for _, user in moved})
        local = {room for room, user in moved if server_of(UserId(texts[user])) == self._own}
        doubtful = {user for _, user in moved if server_of(UserId(texts[user])) != self._own}
        doubtful |= {user for room in local for user in self._store.known_in(RoomNid(room), unless_joined=own)}
        return self._doubting(doubtful) if doubtful else None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Lines were dropped unseen: doubt everything."""
        return self._doubting(self._store.all())

    def _doubting(self, users: Collection[UserNid]) -> Apply:
        def apply(transaction: Transaction) -> None:
            self._store.doubt_in(transaction, users)

        return apply
