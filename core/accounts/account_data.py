"""Account data: set and read by the user's own clients, some types by the server alone.

Spec: Client-Server API, "Client Config".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from core.errors import Forbidden, InvalidParam, MatrixError, NotFound, TooLarge
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import MAX_ID_BYTES, Requester, RoomId, UserId, UserNid
from core.storage.account_data import GLOBAL, AccountDataStore
from core.storage.writer import Transaction, Writer

MAX_CONTENT_BYTES = 262_144
"""Largest content of one type, as compact JSON."""
MAX_TYPES = 5_000
"""Types one user may have for the account, and again in each room."""

SERVER_CONTROLLED = frozenset({"m.fully_read", "m.push_rules"})
"""Types that have endpoints of their own."""


class ControlledByServer(MatrixError):
    """A type that clients may not set here. Spec: `PUT /user/{userId}/account_data/{type}`."""

    errcode, status = "M_BAD_JSON", 405


class ComputedData(Protocol):
    """A type that is not stored but made when asked for, as push rules are."""

    def content(self, user_nid: UserNid) -> Mapping[str, Any]: ...


class AccountData:
    """Account data of local users. `computed` are the types that are made and not stored."""

    def __init__(
        self,
        store: AccountDataStore,
        writer: Writer,
        plugins: PluginManager,
        computed: Mapping[str, ComputedData] | None = None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._plugins = plugins
        self._computed = computed or {}

    def get(self, requester: Requester, user_id: UserId, type: str, room_id: RoomId = GLOBAL) -> bytes:
        """The content of one type, as JSON. Raises: `Forbidden`, `NotFound`."""
        _check_own(requester, user_id)
        if room_id == GLOBAL and type in self._computed:
            return orjson.dumps(self._computed[type].content(requester.user_nid))
        content = self._store.find(requester.user_nid, type, room_id)
        if content is None:
            raise NotFound("There is no account data of this type.")
        return content

    def set(
        self,
        requester: Requester,
        user_id: UserId,
        type: str,
        content: Mapping[str, Any],
        room_id: RoomId = GLOBAL,
    ) -> None:
        """Replace the content of one type.

        Raises: `Forbidden`, `InvalidParam`, `TooLarge`, `ControlledByServer` (405).
        """
        _check_own(requester, user_id)
        if type in SERVER_CONTROLLED:
            raise ControlledByServer(f"{type} cannot be set here; it has an endpoint of its own.")
        self.set_for(requester.user_nid, user_id, type, content, room_id)

    def set_for(
        self, user_nid: UserNid, user_id: UserId, type: str, content: Mapping[str, Any], room_id: RoomId = GLOBAL
    ) -> None:
        """As `set`, on behalf of the server, any type. Raises: `InvalidParam`, `TooLarge`."""
        if not type or len(type.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
            raise InvalidParam(f"A type must have 1 to {MAX_ID_BYTES} bytes.")
        encoded = orjson.dumps(content)
        if len(encoded) > MAX_CONTENT_BYTES:
            raise TooLarge(f"The content is larger than {MAX_CONTENT_BYTES} bytes.")

        def write(transaction: Transaction) -> None:
            if (
                self._store.find_nid_in(transaction, user_nid, type, room_id) is None
                and self._store.count_in(transaction, user_nid, room_id) >= MAX_TYPES
            ):
                raise TooLarge(f"There may be at most {MAX_TYPES} types of account data in one place.")
            self._store.set(transaction, user_nid, type, encoded, room_id)

        self._writer.submit(write, user_nid)
        self._plugins.tell(
            observers.account_data_updated,
            user_id=user_id,
            room_id=None if room_id == GLOBAL else room_id,
            type=type,
            content=content,
        )


def _check_own(requester: Requester, user_id: UserId) -> None:
    if requester.user_id != user_id:
        raise Forbidden("You may read and set only your own account data.")
