"""Invites that are accepted for users: the consumer, and how it reaches accounts and their data."""

from __future__ import annotations

import orjson

from core.accounts.account_data import AccountData
from core.ids import Requester, RoomId, UserId
from core.rooms.auto_accept import AutoAccept, Wanted
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


def auto_accept(ground: Ground, accounts: AccountsPart, rooms: RoomsPart) -> list[AutoAccept]:
    """The consumer that accepts invites for users, where the configuration wants one."""
    settings = ground.config.rooms.auto_accept_invites
    if settings.get("enabled") is not True:
        return []
    wanted = Wanted(
        settings.get("only_for_direct_messages") is True,
        settings.get("only_from_local_users") is True,
    )

    def find_user(user_id: UserId) -> Requester | None:
        user = accounts.users.find(user_id)
        if user is None or user.is_deactivated or user.is_locked or user.is_suspended:
            return None
        return Requester(user.user_id, user.user_nid, None, 0, is_guest=user.is_guest)

    def note_direct(user: Requester, other: UserId, room_id: RoomId) -> None:
        data = AccountData(accounts.account_data_store, ground.storage.writer, ground.plugins)
        raw = accounts.account_data_store.find(user.user_nid, "m.direct")
        content = orjson.loads(raw) if raw is not None else {}
        listed = content.get(other)
        known = listed if isinstance(listed, list) else []
        if room_id not in known:
            data.set(user, user.user_id, "m.direct", {**content, other: [*known, room_id]})

    return [AutoAccept(rooms.graph, rooms.memberships, find_user, note_direct, wanted, ground.server_name)]
