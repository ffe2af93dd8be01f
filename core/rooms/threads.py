"""The threads of a room, those with the newest events first, in history order.

Spec: Client-Server API, "Querying threads in a room".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from core.errors import InvalidParam
from core.graph.client_events import ClientEvents
from core.graph.events import redacted_bytes
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventId, EventNid, Requester, RoomId, RoomNid, UserId, UserNid
from core.rooms.access import RoomAccess, viewer_of
from core.rooms.aggregates import THREAD
from core.rooms.bundles import RelationBundles
from core.storage.events import Flag
from core.storage.related_events import RelatedEventStore

MOST_THREADS = 100
"""The largest limit that is honored."""
READS_PER_PAGE = 10
"""How often more threads are read to fill a page, where the requester sees or wants only some."""

_TOKEN = re.compile(r"th(-?\d{1,18})_(\d{1,18})")


@dataclass(frozen=True, slots=True)
class ThreadsPage:
    """Rendered thread roots, and the token that goes on after them."""

    roots: Sequence[bytes]
    next_batch: str | None


class Threads:
    """Lists threads."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        viewing: Viewing,
        client_events: ClientEvents,
        bundles: RelationBundles,
        related: RelatedEventStore,
        ignored_by: Callable[[UserNid], Collection[UserId]],
    ) -> None:
        self._graph = graph
        self._access = access
        self._viewing = viewing
        self._client_events = client_events
        self._bundles = bundles
        self._related = related
        self._ignored_by = ignored_by

    def page(
        self, requester: Requester, room_id: RoomId, only_participated: bool, start: str | None, limit: int
    ) -> ThreadsPage:
        """Up to `limit` thread roots. Raises Forbidden, and InvalidParam for a token of something else."""
        sight = self._access.sight(requester, room_id)
        below = None if start is None else _read_token(start)
        thread = self._graph.texts.find(THREAD)
        if thread is None:  # no event anywhere has ever been in a thread
            return ThreadsPage([], None)
        limit = min(limit, MOST_THREADS)
        roots: list[StoredEvent] = []
        for _ in range(READS_PER_PAGE):
            wanted = limit - len(roots)
            rows = self._related.newest_of_parents(sight.room.room_nid, thread, below, wanted + 1)
            below = rows[wanted - 1][1:] if len(rows) > wanted else None
            roots += self._shown(requester, sight.room.room_nid, [row[0] for row in rows[:wanted]], only_participated)
            if below is None or len(roots) >= limit:
                break
        ignored = self._ignored_by(requester.user_nid)
        listed = [_redacted(root) if root.sender in ignored else root for root in roots]
        rendered = self._client_events.render(listed, viewer_of(requester))
        return ThreadsPage(rendered, None if below is None else f"th{below[0]}_{below[1]}")

    def _shown(
        self, requester: Requester, room: RoomNid, root_ids: Sequence[EventId], only_participated: bool
    ) -> list[StoredEvent]:
        found = self._graph.events.by_ids(root_ids)
        roots = [found[one] for one in root_ids if one in found]
        roots = [root for root in roots if root.room_nid == room and root.is_visible]
        roots = self._viewing.visible(roots, requester.user_nid, requester.user_id)
        if only_participated:
            own = self._bundles.participants(roots, viewer_of(requester))
            roots = [root for root in roots if root.event_id in own]
        return roots


def _read_token(text: str) -> tuple[int, EventNid]:
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise InvalidParam(f"{text!r} is no token of a list of threads; use the next_batch of the page before.")
    return int(found[1]), EventNid(int(found[2]))


def _redacted(root: StoredEvent) -> StoredEvent:
    """As a client shows it that ignores the sender."""
    if root.is_redacted:
        return root
    return replace(root, pdu_bytes=redacted_bytes(root.event), flags=root.flags | Flag.REDACTED, _event=None)
