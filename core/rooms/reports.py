"""Reporting events, rooms and users to this server's administrators.

A report is stored and nothing else happens: what to do is for people to decide, or for a plugin that reads the reports.
Spec: Client-Server API, "Reporting Content".
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import Forbidden, NotFound
from core.graph.graph import Graph
from core.ids import EventId, Requester, RoomId, ServerName, UserId, server_of
from core.rooms.access import RoomAccess
from core.rooms.reading import Reading
from core.storage.reports import Report, ReportStore, Subject
from core.storage.users import UserStore
from core.storage.writer import Writer

_NONE_EVENT, _NONE_ROOM, _NONE_USER = EventId(""), RoomId(""), UserId("")


class Reports:
    """Takes reports."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        reading: Reading,
        store: ReportStore,
        users: UserStore,
        writer: Writer,
        server_name: ServerName,
        now_ms: Callable[[], int],
    ) -> None:
        self._graph = graph
        self._access = access
        self._reading = reading
        self._store = store
        self._users = users
        self._writer = writer
        self._server_name = server_name
        self._now_ms = now_ms

    def report_event(
        self, requester: Requester, room_id: RoomId, event_id: EventId, reason: str | None, score: int | None
    ) -> None:
        """Report an event of a room the reporter is in. Raises NotFound."""
        try:
            self._access.joined(requester, room_id)
        except Forbidden as refused:
            raise NotFound("There is no such event, or you are not in its room.") from refused
        stored = self._reading.event(requester, room_id, event_id)
        self._add(requester, Subject.EVENT, room_id, event_id, stored.sender, reason, score)

    def report_room(self, requester: Requester, room_id: RoomId, reason: str) -> None:
        """Report a room, which the reporter need not be in. Raises NotFound where this server does not know it."""
        if self._graph.rooms.find(room_id) is None:
            raise NotFound(f"There is no room {room_id} here.")
        self._add(requester, Subject.ROOM, room_id, _NONE_EVENT, _NONE_USER, reason)

    def report_user(self, requester: Requester, user_id: UserId, reason: str) -> None:
        """Report a user of any server. Raises NotFound for one of this server who does not exist."""
        if server_of(user_id) == self._server_name and self._users.find(user_id) is None:
            raise NotFound(f"There is no user {user_id} here.")
        self._add(requester, Subject.USER, _NONE_ROOM, _NONE_EVENT, user_id, reason)

    def _add(
        self,
        requester: Requester,
        subject: Subject,
        room_id: RoomId,
        event_id: EventId,
        target: UserId,
        reason: str | None,
        score: int | None = None,
    ) -> None:
        report = Report(0, subject, self._now_ms(), requester.user_id, room_id, event_id, target, reason, score)
        self._writer.submit(lambda transaction: self._store.add(transaction, report))
