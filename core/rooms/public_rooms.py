"""The room directory: which rooms this server publishes, searched and in pages, the largest first.

Spec: Client-Server API, "Published room directory"; Server-Server API, "Published Room Directory".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import orjson

from core.errors import Forbidden, InvalidParam, NotFound
from core.events.power_levels import PowerLevels
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import permissions
from core.ids import Requester, RoomId
from core.rooms.room_stats import folded
from core.rooms.room_view import GraphRoomView
from core.storage.room_aliases import PublishedRoomStore
from core.storage.room_stats import Listed, RoomStatsStore, Wanted
from core.storage.rooms import RoomName
from core.storage.writer import Writer

MOST_ROOMS = 500
"""Rooms on one page, also where no limit is given."""
MOST_WORDS = 10
"""Words of a search that are looked for."""

_TOKEN = re.compile(r"([np])([0-9]{1,9})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class DirectoryQuery:
    """Which part of the directory. `network` None stands for all; `types` may hold None for rooms without a type."""

    limit: int | None = None
    since: str | None = None
    term: str | None = None
    types: Collection[str | None] | None = None
    network: str | None = ""


class PublicRooms:
    """Lists published rooms, and publishes them."""

    def __init__(
        self,
        graph: Graph,
        stats: RoomStatsStore,
        published: PublishedRoomStore,
        writer: Writer,
        plugins: PluginManager,
        catch_up: Callable[[], None],
        is_searchable: bool = True,
    ) -> None:
        """`catch_up` waits, not for long, until what was changed before the call is in the directory."""
        self._graph = graph
        self._stats = stats
        self._published = published
        self._writer = writer
        self._plugins = plugins
        self._catch_up = catch_up
        self._is_searchable = is_searchable

    def listed(self, query: DirectoryQuery) -> dict[str, Any]:
        """A page of the directory, as clients and servers get it. Raises InvalidParam for a `since` that is none."""
        limit = min(query.limit or MOST_ROOMS, MOST_ROOMS)
        beyond, is_backwards = _read_token(query.since)
        if not self._is_searchable:
            return {"chunk": [], "total_room_count_estimate": 0}
        self._catch_up()
        words = [folded(word) for word in (query.term or "").split()[:MOST_WORDS]]
        wanted = Wanted(query.network, words, query.types)
        found = self._stats.listed(wanted, beyond, is_backwards, limit + 1)
        has_more = len(found) > limit
        page = found[:limit]
        if is_backwards:
            page.reverse()
        answer: dict[str, Any] = {
            "chunk": [{**orjson.loads(one.summary), "num_joined_members": one.joined_count} for one in page],
            "total_room_count_estimate": self._stats.count(wanted),
        }
        if page and (has_more or is_backwards):
            answer["next_batch"] = _token("n", page[-1])
        if page and (has_more if is_backwards else beyond is not None):
            answer["prev_batch"] = _token("p", page[0])
        return answer

    def is_published(self, room_id: RoomId) -> bool:
        """Whether this server's directory lists the room. Raises NotFound for a room that is not known."""
        return self._published.is_published(self._known(room_id).room_nid)

    def publish(self, requester: Requester, room_id: RoomId, is_public: bool) -> None:
        """List a room, or no longer. Raises NotFound, and Forbidden for those who do not run the room.

        That are members whose power suffices to set its canonical alias, and administrators of the server.
        """
        room = self._known(room_id)
        if not requester.is_admin and not self._runs(requester, room):
            raise Forbidden("Publishing a room takes a member with the power to set its canonical alias.")
        self._plugins.require(
            permissions.user_may_publish,
            user_id=requester.user_id,
            room_id=room_id,
            room=GraphRoomView(self._graph, room),
            is_public=is_public,
        )
        if self._published.is_published(room.room_nid) != is_public:
            self._writer.submit(lambda transaction: self._published.set(transaction, room.room_nid, is_public))

    def publish_in_network(self, requester: Requester, network_id: str, room_id: RoomId, is_public: bool) -> None:
        """List a room in a network of the requester's application service. Raises Forbidden, NotFound."""
        if requester.appservice_id is None:
            raise Forbidden("Only application services may publish rooms in third-party networks.")
        network, room = network_key(requester.appservice_id, network_id), self._known(room_id)
        if len(network.encode("utf-8", "replace")) > 255:
            raise InvalidParam("The id of the network is too long.")
        self._writer.submit(lambda transaction: self._published.set(transaction, room.room_nid, is_public, network))

    def _known(self, room_id: RoomId) -> RoomName:
        room = self._graph.rooms.find(room_id)
        if room is None or not len(self._graph.states.current(room.room_nid)):
            raise NotFound(f"There is no room {room_id} on this server.")
        return room

    def _runs(self, requester: Requester, room: RoomName) -> bool:
        membership = self._graph.memberships.of(room.room_nid, requester.user_nid)
        if membership is None or membership.membership != "join":
            return False
        levels = PowerLevels.of(self._graph.states.current(room.room_nid).event)
        return levels.of_user(requester.user_id) >= levels.to_send("m.room.canonical_alias", True)


def network_key(appservice_id: str, network_id: str) -> str:
    """The `instance_id` under which clients ask for the rooms of one network of one application service."""
    return f"{appservice_id}|{network_id}"


def _token(direction: str, place: Listed) -> str:
    return f"{direction}{place.joined_count}-{place.room_nid}"


def _read_token(since: str | None) -> tuple[tuple[int, int] | None, bool]:
    """(the place, whether to go towards larger rooms)."""
    if since is None:
        return None, False
    found = _TOKEN.fullmatch(since)
    if found is None:
        raise InvalidParam("'since' must be a next_batch or prev_batch of an earlier answer to this request.")
    return (int(found[2]), int(found[3])), found[1] == "p"
