"""Room aliases: names of this server that lead to rooms.

Spec: Client-Server API, "Room aliases" and "Canonical alias".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadRequest, Conflict, Forbidden, InvalidParam, NotFound
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.hooks.manager import PluginManager
from core.hooks.specs import permissions
from core.ids import Requester, RoomAlias, RoomId, RoomNid, ServerName, is_room_alias, server_of
from core.rooms.access import RoomAccess
from core.rooms.remote_rooms import RemoteRooms
from core.rooms.residents import Residents
from core.storage.room_aliases import RoomAliasStore
from core.storage.writer import Transaction, Writer


class AliasChecks:
    """What a canonical alias event may say."""

    def __init__(
        self, graph: Graph, store: RoomAliasStore, remote: RemoteRooms, residents: Residents, server_name: ServerName
    ) -> None:
        self._graph = graph
        self._residents = residents
        self._store = store
        self._remote = remote
        self._server_name = server_name

    def resolve(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """The room an alias leads to, and servers that are in it. Raises NotFound."""
        if server_of(alias) != self._server_name:
            return self._remote.alias(alias)
        found = self._store.find(alias)
        if found is None:
            raise NotFound(f"There is no room alias {alias}.")
        others = [server for server in self._residents.of(found[0]) if server != self._server_name]
        return self._graph.rooms.name(found[0]).room_id, [self._server_name, *others]

    def check_canonical(self, room: RoomNid, content: Mapping[str, Any], state: RoomState) -> None:
        """Raise InvalidParam or M_BAD_ALIAS for an alias that is new to the event and does not lead to the room."""
        wanted = _aliases(content)
        current = state.event("m.room.canonical_alias")
        known = set(_aliases(current.content)) if current is not None else set()
        for alias in wanted:
            if not isinstance(alias, str) or not is_room_alias(alias):
                raise InvalidParam(f"{alias!r} is no room alias; they look like #name:example.org.")
            if alias not in known and not self._leads_to(RoomAlias(alias), room):
                raise BadRequest(f"{alias} does not lead to this room.", errcode="M_BAD_ALIAS")

    def _leads_to(self, alias: RoomAlias, room: RoomNid) -> bool:
        try:
            return self.resolve(alias)[0] == self._graph.rooms.name(room).room_id
        except NotFound:
            return False


class Aliases:
    """Makes, finds, lists and removes aliases."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        store: RoomAliasStore,
        checks: AliasChecks,
        writer: Writer,
        plugins: PluginManager,
        server_name: ServerName,
        needs_membership: bool = True,
    ) -> None:
        self._graph = graph
        self._needs_membership = needs_membership
        self._access = access
        self._store = store
        self._checks = checks
        self._writer = writer
        self._plugins = plugins
        self._server_name = server_name

    def resolve(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """The room an alias leads to, and servers to join it through. Raises NotFound."""
        return self._checks.resolve(alias)

    def create(self, requester: Requester, alias: RoomAlias, room_id: RoomId) -> None:
        """Make an alias. Raises InvalidParam, Forbidden, and Conflict where it is taken."""
        self._check_own(alias)
        room = self._access.joined(requester, room_id) if self._needs_membership else self._access.known(room_id)
        self._plugins.require(
            permissions.user_may_create_alias, user_id=requester.user_id, alias=alias, room_id=room_id
        )
        self.claim(requester, alias, room.room_nid)

    def claim(self, requester: Requester, alias: RoomAlias, room: RoomNid) -> None:
        """Write a new alias. Raises Conflict where it is taken."""
        if not self._writer.submit(lambda transaction: self._store.add(transaction, alias, room, requester.user_nid)):
            raise Conflict(f"The room alias {alias} is taken already.")

    def remove(self, requester: Requester, alias: RoomAlias) -> None:
        """Take an alias away, and out of the room's canonical alias event where the remover may change that.

        Its creator may, administrators may, and whoever may set the room's canonical alias.
        """
        self._check_own(alias)
        found = self._store.find(alias)
        if found is None:
            raise NotFound(f"There is no room alias {alias}.")
        room, creator = found
        state = self._graph.states.current(room)
        may_set = self._may_set_canonical(requester, room, state)
        if creator != requester.user_nid and not requester.is_admin and not may_set:
            raise Forbidden(f"You did not make {alias}, and may not set the room's canonical alias.")

        def job(transaction: Transaction) -> bool:
            return self._store.remove(transaction, alias, room)

        self._writer.submit(job)
        current = state.event("m.room.canonical_alias")
        if may_set and current is not None and alias in _aliases(current.content):
            self._drop_from_canonical(requester, room, alias, current)

    def of_room(self, requester: Requester, room_id: RoomId) -> list[RoomAlias]:
        """The room's aliases on this server, for those who may read it."""
        return self._store.of_room(self._access.sight(requester, room_id).room.room_nid)

    def _drop_from_canonical(self, requester: Requester, room: RoomNid, alias: RoomAlias, current: Event) -> None:
        content = {key: value for key, value in current.content.items() if not (key == "alias" and value == alias)}
        if isinstance(content.get("alt_aliases"), list):
            content["alt_aliases"] = [other for other in content["alt_aliases"] if other != alias]
        self._graph.write.send(room, [Draft("m.room.canonical_alias", requester.user_id, content, "")], None)

    def _may_set_canonical(self, requester: Requester, room: RoomNid, state: RoomState) -> bool:
        membership = self._graph.memberships.of(room, requester.user_nid)
        if membership is None or membership.membership != "join":
            return False
        levels = PowerLevels.of(state.event)
        return levels.of_user(requester.user_id) >= levels.to_send("m.room.canonical_alias", True)

    def _check_own(self, alias: RoomAlias) -> None:
        if not is_room_alias(alias):
            raise InvalidParam(f"{alias!r} is no room alias; they look like #name:{self._server_name}.")
        if server_of(alias) != self._server_name:
            raise InvalidParam(f"Only aliases that end in :{self._server_name} can be made or removed here.")


def _aliases(content: Mapping[str, Any]) -> list[Any]:
    """The aliases a canonical alias event names, whatever they are."""
    named = [content["alias"]] if content.get("alias") not in (None, "") else []
    others = content.get("alt_aliases", [])
    return [*named, *(others if isinstance(others, list) else [others])]
