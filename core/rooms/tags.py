"""Tags: labels a user puts on their rooms, kept as one piece of the room's account data.

Changes are read and written inside the writer, so that two devices that tag at the same time both succeed.
Spec: Client-Server API, "Room Tagging".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from core.accounts.account_data import MAX_CONTENT_BYTES
from core.errors import Forbidden, InvalidParam, TooLarge
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import MAX_ID_BYTES, Requester, RoomId, UserId
from core.storage.account_data import AccountDataStore
from core.storage.transaction import Transaction
from core.storage.writer import Writer

TAG = "m.tag"
MAX_TAGS = 1_000
"""Tags one user may put on one room."""

TagMap = dict[str, Any]


class Tags:
    """Tags of local users' rooms."""

    def __init__(self, store: AccountDataStore, writer: Writer, plugins: PluginManager) -> None:
        self._store = store
        self._writer = writer
        self._plugins = plugins

    def of_room(self, requester: Requester, user_id: UserId, room_id: RoomId) -> TagMap:
        """The tags of a room by name. Raises `Forbidden` for another user's."""
        _check_own(requester, user_id)
        return _tags_in(self._store.find(requester.user_nid, TAG, room_id))

    def put(
        self, requester: Requester, user_id: UserId, room_id: RoomId, name: str, content: Mapping[str, Any]
    ) -> None:
        """Put a tag on a room, in place of one of that name. Raises: `Forbidden`, `InvalidParam`, `TooLarge`."""
        _check_own(requester, user_id)
        if len(name.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
            raise InvalidParam(f"The name of a tag may have at most {MAX_ID_BYTES} bytes.")

        def change(tags: TagMap) -> bool:
            if name not in tags and len(tags) >= MAX_TAGS:
                raise TooLarge(f"There may be at most {MAX_TAGS} tags on a room.")
            is_new = tags.get(name) != content
            tags[name] = dict(content)
            return is_new

        self._change(requester, room_id, change)

    def remove(self, requester: Requester, user_id: UserId, room_id: RoomId, name: str) -> None:
        """Take a tag off a room; one that is not there is no error. Raises `Forbidden`."""
        _check_own(requester, user_id)
        self._change(requester, room_id, lambda tags: tags.pop(name, None) is not None)

    def _change(self, requester: Requester, room_id: RoomId, change: Callable[[TagMap], bool]) -> None:
        user_nid = requester.user_nid

        def job(transaction: Transaction) -> TagMap | None:
            tags = _tags_in(self._store.find_in(transaction, user_nid, TAG, room_id))
            if not change(tags):
                return None
            encoded = orjson.dumps({"tags": tags})
            if len(encoded) > MAX_CONTENT_BYTES:
                raise TooLarge(f"The tags of a room may have at most {MAX_CONTENT_BYTES} bytes together.")
            self._store.set(transaction, user_nid, TAG, encoded, room_id)
            return tags

        tags = self._writer.submit(job, user_nid)
        if tags is not None:
            self._plugins.tell(
                observers.account_data_updated,
                user_id=requester.user_id,
                room_id=room_id,
                type=TAG,
                content={"tags": tags},
            )


def _tags_in(content: bytes | None) -> TagMap:
    """The tags in a stored content; clients may also have written it as account data, in any form."""
    tags = None if content is None else orjson.loads(content).get("tags")
    return tags if isinstance(tags, dict) else {}


def _check_own(requester: Requester, user_id: UserId) -> None:
    if requester.user_id != user_id:
        raise Forbidden("You may read and set only your own tags.")
