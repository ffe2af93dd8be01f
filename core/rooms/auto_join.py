"""Takes new users into the rooms that the administrator has chosen, which are made where they do not exist.

A consumer of the log, so that it makes no difference how the account came about, and nobody who signs up waits for
another server. Who has been in a room once is never taken there again. Settings `auto_join_rooms` and those around it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from core.errors import MatrixError, NotFound
from core.events.room_versions import RoomVersion
from core.graph.graph import Graph
from core.ids import Position, Requester, RoomAlias, RoomId, ServerName, UserId, UserNid, is_room_alias, server_of
from core.rooms.aliases import Aliases
from core.rooms.creation import RoomCreation
from core.rooms.creation_plan import NewRoom
from core.rooms.membership import Memberships
from core.storage.consumers import Apply, only_the_cursor
from core.storage.log import Kind, Line

logger = logging.getLogger(__name__)

NEW_MS = 86_400_000
"""Accounts older than this are no new ones, whatever else is logged of them."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A user of this server who may act."""

    requester: Requester
    created_ms: int


@dataclass(frozen=True, slots=True)
class AutoJoinSettings:
    """Which rooms, and how they are made; `host` makes them and invites to those that are not public."""

    rooms: tuple[str, ...]
    version: RoomVersion
    creates: bool = True
    is_federated: bool = True
    preset: str = "public_chat"
    host: UserId | None = None
    takes_guests: bool = True


class AutoJoin:
    """Follows USER_STATUS lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.auto_join"
    kinds: Collection[Kind] = (Kind.USER_STATUS,)

    def __init__(
        self,
        settings: AutoJoinSettings,
        server_name: ServerName,
        graph: Graph,
        creation: RoomCreation,
        memberships: Memberships,
        aliases: Aliases,
        find_users: Callable[[Iterable[UserNid]], list[Newcomer]],
        find_user: Callable[[UserId], Requester | None],
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._settings = settings
        self._server_name = server_name
        self._graph = graph
        self._creation = creation
        self._memberships = memberships
        self._aliases = aliases
        self._find_users = find_users
        self._find_user = find_user
        self._now_ms = now_ms

    def handle(self, lines: list[Line]) -> Apply | None:
        """Take the new users among those that something happened to into the rooms."""
        oldest_ms, told = self._now_ms() - NEW_MS, None
        for user in self._find_users(dict.fromkeys(UserNid(line.subject) for line in lines)):
            if user.created_ms >= oldest_ms and (self._settings.takes_guests or not user.requester.is_guest):
                for room in self._settings.rooms:
                    self._enter(user.requester, room)
                told = only_the_cursor  # whoever leaves again is not taken in a second time
        return told

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: the newest line about each user is kept and never lies below the horizon."""
        return None

    def _enter(self, user: Requester, wanted: str) -> None:
        try:
            room_id, via = self._find_or_make(user, wanted)
            if not self._was_in(user, room_id):
                self._invite(user, room_id)
                self._memberships.join(user, room_id, via)
        except MatrixError as refused:
            logger.warning("%s could not be taken into %s: %s", user.user_id, wanted, refused.sentence)

    def _find_or_make(self, user: Requester, wanted: str) -> tuple[RoomId, Sequence[ServerName]]:
        if not is_room_alias(wanted):
            return RoomId(wanted), ()
        alias = RoomAlias(wanted)
        try:
            return self._aliases.resolve(alias)
        except NotFound:
            if not self._settings.creates or server_of(alias) != self._server_name or user.is_guest:
                raise
        return self._make(user, alias), ()

    def _make(self, user: Requester, alias: RoomAlias) -> RoomId:
        settings = self._settings
        creator = user if settings.host is None else self._find_user(settings.host)
        if creator is None:
            raise NotFound(f"There is no account {settings.host}, which is to make the room.")
        content = {} if settings.is_federated else {"m.federate": False}
        room = NewRoom(settings.version, settings.preset, alias=alias, creation_content=content)
        return self._creation.create(creator, room, {})

    def _was_in(self, user: Requester, room_id: RoomId) -> bool:
        room = self._graph.rooms.find(room_id)
        membership = None if room is None else self._graph.memberships.of(room.room_nid, user.user_nid)
        return membership is not None and membership.membership != "invite"

    def _invite(self, user: Requester, room_id: RoomId) -> None:
        """Invite to a room of ours that is not public, in the name of the host, who has to be in it."""
        room, host = self._graph.rooms.find(room_id), self._settings.host
        if room is None or host is None or not self._memberships.is_here(room_id):
            return
        rule = self._graph.states.current(room.room_nid).event("m.room.join_rules")
        inviter = self._find_user(host)
        if inviter is not None and (rule is None or rule.content.get("join_rule") != "public"):
            self._memberships.invite(inviter, room_id, user.user_id)
