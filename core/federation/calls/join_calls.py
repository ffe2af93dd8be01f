"""The handshakes of membership. Spec: Server-Server API, "Joining Rooms", "Knocking upon a room", "Inviting to a room",
"Leaving Rooms (Rejecting Invites)", "Third-party invites".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from core.federation.calls import shapes
from core.federation.remote_errors import RemoteRefusal
from core.federation.signed_client import Patience, SignedClient, path_of
from core.ids import EventId, RoomId, ServerName, UserId
from core.outbound.door import Answer

TEMPLATE_TIMEOUT_MS = 15_000
"""How long a server may take for a template or a knock before the next candidate is tried."""

_V1 = "/_matrix/federation/v1"
_V2 = "/_matrix/federation/v2"


@dataclass(frozen=True, slots=True)
class Template:
    """An event to be completed, hashed and signed; `room_version` is None where the server does not say (then 1)."""

    event: Mapping[str, Any]
    room_version: str | None


class JoinCalls:
    """Asks resident servers. A user waits, so these ask servers that have been down as well."""

    def __init__(self, client: SignedClient) -> None:
        self._client = client
        once = client.patiences.once
        self._once = Patience(min(once.timeout_ms, TEMPLATE_TIMEOUT_MS), 0, 0, is_urgent=True)
        self._short = client.patiences.short.urgent()

    def make_join(self, server: ServerName, room_id: RoomId, user_id: UserId, versions: Sequence[str]) -> Template:
        """The join event to sign."""
        return self._template(server, "make_join", room_id, user_id, {"ver": versions})

    def make_knock(self, server: ServerName, room_id: RoomId, user_id: UserId, versions: Sequence[str]) -> Template:
        """The knock event to sign."""
        return self._template(server, "make_knock", room_id, user_id, {"ver": versions})

    def make_leave(self, server: ServerName, room_id: RoomId, user_id: UserId) -> Template:
        """The leave event to sign."""
        return self._template(server, "make_leave", room_id, user_id, None)

    def send_join(
        self,
        server: ServerName,
        room_id: RoomId,
        event_id: EventId,
        pdu: Mapping[str, Any],
        timeout_ms: int,
        omit_members: bool = False,
    ) -> AbstractContextManager[Answer]:
        """Join; the answer is large and read in pieces: `event`, `state`, `auth_chain`, `members_omitted`."""
        patience = Patience(timeout_ms, 0, 0, is_urgent=True)
        path = path_of(f"{_V2}/send_join", room_id, event_id)
        query = {"omit_members": "true" if omit_members else "false"}
        return self._client.open(server, "PUT", path, query, pdu, patience)

    def send_knock(
        self, server: ServerName, room_id: RoomId, event_id: EventId, pdu: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Knock; returns `knock_room_state`."""
        path = path_of(f"{_V1}/send_knock", room_id, event_id)
        found = shapes.whole(server, self._client.put(server, path, pdu, patience=self._once))
        return shapes.objects(server, found, "knock_room_state")

    def send_leave(self, server: ServerName, room_id: RoomId, event_id: EventId, pdu: Mapping[str, Any]) -> None:
        """Leave, or reject an invite; by version 1 of the endpoint where the server knows no other."""
        try:
            self._client.put(server, path_of(f"{_V2}/send_leave", room_id, event_id), pdu, patience=self._short)
        except RemoteRefusal as error:
            if not shapes.is_unknown_endpoint(error):
                raise
            self._client.put(server, path_of(f"{_V1}/send_leave", room_id, event_id), pdu, patience=self._short)

    def invite(
        self,
        server: ServerName,
        room_id: RoomId,
        event_id: EventId,
        pdu: Mapping[str, Any],
        room_version: str,
        invite_room_state: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """The invite, with the signature of the invited user's server.

        By version 1 of the endpoint where the server knows no other and the room's version is 1 or 2.
        """
        content = {"event": pdu, "room_version": room_version, "invite_room_state": list(invite_room_state)}
        try:
            path = path_of(f"{_V2}/invite", room_id, event_id)
            found = shapes.whole(server, self._client.put(server, path, content, patience=self._short))
        except RemoteRefusal as error:
            if not shapes.is_unknown_endpoint(error) or room_version not in {"1", "2"}:
                raise
            unsigned = {**pdu.get("unsigned", {}), "invite_room_state": list(invite_room_state)}
            path = path_of(f"{_V1}/invite", room_id, event_id)
            answer = self._client.put(server, path, {**pdu, "unsigned": unsigned}, patience=self._short)
            found = shapes.of_v1(server, answer)
        return shapes.obj(server, found, "event")

    def exchange_third_party_invite(self, server: ServerName, room_id: RoomId, event: Mapping[str, Any]) -> None:
        """Have a resident server turn a third-party invite into one of a user."""
        path = path_of(f"{_V1}/exchange_third_party_invite", room_id)
        self._client.put(server, path, event, patience=self._short)

    def _template(self, server: ServerName, what: str, room_id: RoomId, user_id: UserId, query: Any) -> Template:
        path = path_of(f"{_V1}/{what}", room_id, user_id)
        found = self._client.get(server, path, query, self._once)
        version = found.get("room_version")
        return Template(shapes.obj(server, found, "event"), version if isinstance(version, str) else None)
