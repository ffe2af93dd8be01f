"""Rooms that new users are taken into: the consumer, and which accounts it may act for."""

from __future__ import annotations

from collections.abc import Iterable

from core.events.room_versions import room_version
from core.ids import Requester, UserId, UserNid
from core.rooms.auto_join import AutoJoin, AutoJoinSettings, Newcomer
from core.storage.users import User
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


def auto_join(ground: Ground, accounts: AccountsPart, rooms: RoomsPart) -> list[AutoJoin]:
    """The consumer, where the configuration names rooms. Bridged users and the server's own voice are left out."""
    config, name = ground.config.registration, ground.server_name
    if not config.auto_join_rooms:
        return []

    def newcomers(nids: Iterable[UserNid]) -> list[Newcomer]:
        speaker = rooms.memberships.notice_speaker
        found = accounts.users.find_many(list(nids)).values()
        people = [user for user in found if _may_act(user) and user.appservice_id is None and user.user_id != speaker]
        return [Newcomer(_requester(user), user.created_ms) for user in people]

    def find_user(user_id: UserId) -> Requester | None:
        user = accounts.users.find(user_id)
        return _requester(user) if user is not None and _may_act(user) else None

    localpart = config.auto_join_mxid_localpart
    settings = AutoJoinSettings(
        config.auto_join_rooms,
        room_version(ground.config.rooms.default_room_version),
        config.autocreate_auto_join_rooms,
        config.autocreate_auto_join_rooms_federated,
        config.autocreate_auto_join_room_preset,
        None if localpart is None else UserId(f"@{localpart}:{name}"),
        config.auto_join_rooms_for_guests,
    )
    services = (rooms.graph, rooms.creation, rooms.memberships, rooms.aliases)
    return [AutoJoin(settings, name, *services, newcomers, find_user)]


def _may_act(user: User) -> bool:
    return not (user.is_deactivated or user.is_locked or user.is_suspended)


def _requester(user: User) -> Requester:
    return Requester(user.user_id, user.user_nid, None, 0, is_guest=user.is_guest)
