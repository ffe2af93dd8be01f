"""Replacing a room by one of another version.

The new room is complete before anybody is sent there. Where its create event must name the tombstone (before room version
12) the tombstone comes first, after everything that could fail has been tried without writing it.
Spec: Client-Server API, "Room Upgrades".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gevent.lock import BoundedSemaphore

from core.accounts.clock import wall_clock_ms
from core.errors import AuthRuleViolation, BadRequest, Forbidden, InvalidParam, MatrixError, NotFound
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.room_versions import RoomVersion
from core.graph.appending.sending import new_room_id
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import permissions
from core.ids import EventId, Requester, RoomId, RoomNid, ServerName, StateKey, UserId, is_user_id, server_of
from core.rooms.access import RoomAccess
from core.rooms.personal_settings import PersonalSettings
from core.rooms.profiles import Profiles
from core.rooms.upgrade_plan import (
    COPIED,
    LINKS,
    predecessor_of,
    replacement_drafts,
    restricting_draft,
    tombstone_draft,
)
from core.storage.room_aliases import PublishedRoomStore, RoomAliasStore
from core.storage.rooms import RoomName
from core.storage.writer import Transaction, Writer

logger = logging.getLogger(__name__)

MOST_BANS = 10_000
"""So many bans are carried over."""
REPEATED_MS = 5_000
"""Somebody's second request within this time is taken for a repetition of the first."""


class _Tombstone(NamedTuple):
    """Who sent it, when, and where it leads."""

    sender: UserId
    ts: int
    replacement: RoomId


class RoomUpgrades:
    """Upgrades rooms."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        alias_store: RoomAliasStore,
        published: PublishedRoomStore,
        personal: PersonalSettings,
        profiles: Profiles,
        plugins: PluginManager,
        writer: Writer,
        server_name: ServerName,
    ) -> None:
        self._graph = graph
        self._access = access
        self._alias_store = alias_store
        self._published = published
        self._personal = personal
        self._profiles = profiles
        self._plugins = plugins
        self._writer = writer
        self._server_name = server_name
        self._turns: dict[RoomNid, tuple[BoundedSemaphore, list[Requester]]] = {}
        """Of each room that is being upgraded, whose turn it is and who wants one."""

    def upgrade(
        self, requester: Requester, room_id: RoomId, version: RoomVersion, additional_creators: Sequence[str]
    ) -> RoomId:
        """Replace a room; the id of the new one. Raises Forbidden for who may not send the tombstone.

        Of several requests at the same time the first upgrades, and the others get the room that it made; so does the
        same user who asks once more within REPEATED_MS.
        """
        if self._graph.rooms.find(room_id) is None:
            raise NotFound(f"There is no room {room_id} on this server.")
        room = self._access.joined(requester, room_id)
        before = self._tombstone(room)
        if before is not None and before.sender == requester.user_id and wall_clock_ms() - before.ts < REPEATED_MS:
            return before.replacement
        with self._turn(room.room_nid, requester):
            after = self._tombstone(room)
            if after is not None and after != before:
                return after.replacement
            return self._upgrade(requester, room, version, additional_creators)

    @contextmanager
    def _turn(self, room: RoomNid, requester: Requester) -> Iterator[None]:
        turn, waiting = self._turns.setdefault(room, (BoundedSemaphore(), []))
        waiting.append(requester)
        try:
            with turn:
                yield
        finally:
            waiting.remove(requester)
            if not waiting:
                self._turns.pop(room, None)

    def _tombstone(self, room: RoomName) -> _Tombstone | None:
        """The room's tombstone, as far as it leads anywhere."""
        event = self._graph.states.current(room.room_nid).event("m.room.tombstone")
        found = None if event is None else event.content.get("replacement_room")
        if event is None or not isinstance(found, str):
            return None
        return _Tombstone(event.sender, event.origin_server_ts, RoomId(found))

    def _upgrade(
        self, requester: Requester, room: RoomName, version: RoomVersion, additional_creators: Sequence[str]
    ) -> RoomId:
        room_id, state = room.room_id, self._state(room.room_nid)
        user = requester.user_id
        levels = PowerLevels.from_events(state.get(("m.room.create", "")), state.get(("m.room.power_levels", "")))
        if levels.of_user(user) < levels.to_send("m.room.tombstone", True):
            raise Forbidden(f"You may not upgrade room {room_id}: your power level does not allow a tombstone.")
        others = _checked(additional_creators) if version.privileged_creators else []
        request = {"room_version": version.id, "creation_content": {"predecessor": {"room_id": room_id}}}
        self._plugins.require(permissions.user_may_create_room, user_id=user, request=request)
        new = self._replace(room, state, version, user, others)
        self._move_names(requester, room, new, state)
        restricting = restricting_draft(self._state(room.room_nid), user)
        self._try(room.room_nid, restricting)
        self._relink_spaces(requester, room, new, state)
        self._personal.carry(requester.user_nid, room.room_id, new.room_id)
        return new.room_id

    def _replace(
        self, room: RoomName, state: Mapping[StateKey, Event], version: RoomVersion, user: UserId, others: list[UserId]
    ) -> RoomName:
        profile = self._profiles.member_fields(user)

        def drafts(tombstone: EventId | None) -> list[Draft]:
            return replacement_drafts(state, version, user, profile, predecessor_of(room.room_id, tombstone), others)

        try:
            if version.room_id_is_create_hash:
                created = self._graph.write.create(version, drafts(None))
                self._graph.write.send(room.room_nid, [tombstone_draft(user, created.room_id)])
                return RoomName(created.room_nid, created.room_id, version)
            new_id = new_room_id(self._server_name)
            self._graph.write.check_creation(version, drafts(EventId("$" + "x" * 43)), new_id)
            tombstone = self._graph.write.send(room.room_nid, [tombstone_draft(user, new_id)])[0]
            created = self._graph.write.create(version, drafts(tombstone.event_id), new_id)
            return RoomName(created.room_nid, created.room_id, version)
        except AuthRuleViolation as refused:
            raise BadRequest(f"The room cannot be upgraded like this: {refused.sentence}") from refused

    def _state(self, room: RoomNid) -> dict[StateKey, Event]:
        """What of the room's state an upgrade looks at."""
        current = self._graph.states.current(room)
        kinds = ("m.room.create", "m.room.power_levels", *COPIED)
        found = {key: stored.event for key, stored in current.events([(kind, "") for kind in kinds]).items()}
        for kind in LINKS:
            found.update(((kind, key), stored.event) for key, stored in current.of_type(kind).items())
        bans = self._graph.memberships.members(room, ("ban",))[:MOST_BANS]
        for stored in self._graph.events.by_nids(ban.event_nid for ban in bans).values():
            found["m.room.member", stored.state_key or ""] = stored.event
        return found

    def _move_names(self, requester: Requester, old: RoomName, new: RoomName, state: Mapping[StateKey, Event]) -> None:
        """The aliases and the place in the directory go to the new room."""
        is_published = self._published.is_published(old.room_nid)

        def job(transaction: Transaction) -> None:
            self._alias_store.move(transaction, old.room_nid, new.room_nid)
            if is_published:
                self._published.set(transaction, new.room_nid, True)
                self._published.set(transaction, old.room_nid, False)

        self._writer.submit(job)
        canonical = state.get(("m.room.canonical_alias", ""))
        if canonical is not None:
            content = self._without_own_aliases(canonical.content)
            if content != canonical.content:
                self._try(old.room_nid, Draft("m.room.canonical_alias", requester.user_id, content, ""))

    def _without_own_aliases(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A canonical alias event's content without this server's aliases, which lead elsewhere now."""

        def stays(alias: object) -> bool:
            return not isinstance(alias, str) or server_of(alias) != self._server_name

        kept = {key: value for key, value in content.items() if key != "alias" or stays(value)}
        if isinstance(kept.get("alt_aliases"), list):
            kept["alt_aliases"] = [alias for alias in kept["alt_aliases"] if stays(alias)]
        return kept

    def _relink_spaces(
        self, requester: Requester, old: RoomName, new: RoomName, state: Mapping[StateKey, Event]
    ) -> None:
        """Spaces that have the old room as a child get the new one instead, where the user may do that."""
        for kind, parent_id in state:
            if kind != "m.space.parent":
                continue
            parent = self._graph.rooms.find(RoomId(parent_id))
            if parent is None:
                continue
            child = self._graph.states.current(parent.room_nid).event("m.space.child", old.room_id)
            if child is not None and child.content.get("via"):
                self._try(parent.room_nid, Draft("m.space.child", requester.user_id, child.content, new.room_id))
                self._try(parent.room_nid, Draft("m.space.child", requester.user_id, {}, old.room_id))

    def _try(self, room: RoomNid, draft: Draft | None) -> None:
        """Send what is good to have and not needed."""
        if draft is None:
            return
        try:
            self._graph.write.send(room, [draft])
        except MatrixError as refused:
            logger.info("After an upgrade, %s was not sent in room %d: %s", draft.type, room, refused.sentence)


def _checked(users: Sequence[str]) -> list[UserId]:
    for user in users:
        if not is_user_id(user):
            raise InvalidParam(f"additional_creators has {user!r}; its entries must be user ids.")
    return [UserId(user) for user in users]
