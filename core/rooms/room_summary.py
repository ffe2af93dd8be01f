"""Summaries of single rooms, for clients that show a room before it is joined.

Spec: Client-Server API, `GET /room_summary/{roomIdOrAlias}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import NotFound
from core.ids import Requester, RoomAlias, RoomId, ServerName
from core.rooms.aliases import Aliases
from core.rooms.discovery import Discovery
from core.rooms.remote_directory import RemoteDirectory
from core.rooms.summary_fields import cleaned


class RoomSummaries:
    """Tells what a room is, to whoever may learn of it."""

    def __init__(self, discovery: Discovery, aliases: Aliases, remote: RemoteDirectory) -> None:
        self._discovery = discovery
        self._aliases = aliases
        self._remote = remote

    def get(self, requester: Requester | None, room: str, via: Sequence[ServerName]) -> dict[str, Any]:
        """The summary of a room, with the membership of the requester where there is one.

        `room` is a room id or an alias; `via` are servers to ask where the room is not known here. Raises NotFound,
        which does not tell a room that may not be seen from one that does not exist.
        """
        room_id, servers = RoomId(room), list(via)
        if room.startswith("#"):
            room_id, found = self._aliases.resolve(RoomAlias(room))
            servers += [server for server in found if server not in servers]
        eye = self._discovery.user_eye(requester)
        known = self._discovery.find(room_id)
        if known is not None:
            if not self._discovery.user_may_learn_of(eye, known):
                raise _nothing(room)
            summary = dict(known.summary)
            membership = eye.membership_of(known.room)
        else:
            summary = self._from_elsewhere(requester, room_id, servers) or {}
            invited = None if requester is None else self._discovery.invitation(requester, room_id)
            if not summary and invited is None:
                raise _nothing(room)
            summary = summary or invited or {}
            membership = self._membership_elsewhere(requester, room_id)
        return summary if requester is None else {**summary, "membership": membership}

    def _from_elsewhere(
        self, requester: Requester | None, room_id: RoomId, via: Sequence[ServerName]
    ) -> dict[str, Any] | None:
        space = self._remote.space(room_id, via, False) if via else None
        summary = None if space is None else cleaned(space.room)
        if summary is None or summary["room_id"] != room_id:
            return None
        is_invited = requester is not None and self._discovery.invitation(requester, room_id) is not None
        may_come = self._discovery.user_may_come_in(self._discovery.user_eye(requester), summary)
        return summary if is_invited or may_come else None

    def _membership_elsewhere(self, requester: Requester | None, room_id: RoomId) -> str:
        return "leave" if requester is None else self._discovery.membership_elsewhere(requester, room_id)


def _nothing(room: str) -> NotFound:
    return NotFound(f"There is no room {room} known here that you may see; give 'via' servers that are in it.")
