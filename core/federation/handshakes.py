"""Members of other servers who join, knock or leave through this one: a template, then the event they signed.

Spec: Server-Server API, "Joining Rooms", "Knocking upon a room", "Leaving Rooms (Rejecting Invites)".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import BadJson, BadRequest, EventRefused, Forbidden
from core.events.event import Event
from core.events.formats import parse_event
from core.events.room_versions import require_compatible
from core.events.signatures import SigningKey, add_signature
from core.federation.participation import Participation
from core.federation.received import ReceivedEvents
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.graph.missing import MissingEvents
from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.ids import EventId, RoomId, ServerName, UserId, UserNid, server_of
from core.rooms.restricted_joins import RestrictedJoins, allowed_rooms, conditions_for
from core.storage.outbound_relays import OutboundRelayStore
from core.storage.rooms import RoomName

AUTHORIZER = "join_authorised_via_users_server"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A member event that is part of the room now."""

    room: RoomName
    event: StoredEvent


class Handshakes:
    """Serves `make_*` and `send_*`."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        restricted: RestrictedJoins,
        received: ReceivedEvents,
        relays: OutboundRelayStore,
        server_name: ServerName,
        signing_key: SigningKey,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._restricted = restricted
        self._received = received
        self._relays = relays
        self._server_name = server_name
        self._signing_key = signing_key

    def make(
        self, origin: ServerName, room_id: RoomId, user_id: UserId, membership: str, versions: Sequence[str] | None
    ) -> dict[str, Any]:
        """The event that the user's server is to sign, with the room's version.

        `versions` are those it understands, None where that does not matter. Raises NotFound, Forbidden,
        IncompatibleRoomVersion.
        """
        if server_of(user_id) != origin:
            raise Forbidden(f"{user_id} is not a user of {origin}.")
        room = self._participation.room(origin, room_id)
        if versions is not None:
            require_compatible(room.version, list(versions))
        content: dict[str, Any] = {"membership": membership}
        if membership == "join":
            state = self._graph.states.current(room.room_nid)
            authorizer = self._authorizer(room, state, user_id)
            if authorizer is not None:
                content[AUTHORIZER] = authorizer
        event = self._graph.write.draft_event(room.room_nid, Draft("m.room.member", user_id, content, user_id))
        left_out = ("hashes", "signatures", "event_id", "unsigned")
        template = {key: value for key, value in event.pdu.items() if key not in left_out}
        return {"event": {**template, "origin": self._server_name}, "room_version": room.version.id}

    def send(
        self, origin: ServerName, room_id: RoomId, event_id: EventId, pdu: Mapping[str, Any], membership: str
    ) -> Admitted:
        """Let the signed event in. Raises BadJson, InvalidParam, BadRequest, NotFound, Forbidden."""
        room = self._participation.room(origin, room_id)
        event = self._completed(room, pdu)
        event = self._received.one(event.pdu, room.version, room_id, event_id)
        _require_own_member(event, origin, membership)
        if membership == "join":
            self._recheck_restriction(room, event)
        try:
            judgement = self._graph.write.judge(room.room_nid, event)
            if judgement.violation is not None:
                raise judgement.violation
            event = self._graph.write.endorser.endorse(room.room_nid, event)
            self._relays.note(event_id)
            self._graph.write.append(room.room_nid, [Admission(event)])
        except MissingEvents as missing:
            raise Forbidden(f"The event rests on {', '.join(sorted(missing.missing)[:3])}, unknown here.") from missing
        stored = self._graph.events.get(event_id)
        if not stored.is_visible:
            raise Forbidden("The room does not allow this any more.")
        return Admitted(room, stored)

    def _completed(self, room: RoomName, pdu: Mapping[str, Any]) -> Event:
        """The event with our signature where one of our users authorizes it."""
        try:
            event = parse_event(pdu, room.version)
        except EventRefused as refused:
            raise BadRequest(refused.sentence, errcode=refused.errcode) from refused
        authorizer = event.content.get(AUTHORIZER)
        is_ours = isinstance(authorizer, str) and server_of(authorizer) == self._server_name
        if not (is_ours and room.version.restricted_joins and event.type == "m.room.member"):
            return event
        signed = add_signature(event.pdu, room.version, self._server_name, self._signing_key)
        return replace(event, pdu=signed)

    def _recheck_restriction(self, room: RoomName, event: Event) -> None:
        """Our signature vouches for the room's conditions, so they are looked at again."""
        authorizer = event.content.get(AUTHORIZER)
        if isinstance(authorizer, str) and server_of(authorizer) == self._server_name:
            state = self._graph.states.current(room.room_nid)
            self._authorizer(room, state, event.sender)

    def _authorizer(self, room: RoomName, state: RoomState, user_id: UserId) -> UserId | None:
        """Which of our users admits a restricted join; None where nobody has to."""
        conditions = conditions_for(room, state, user_id)
        if conditions is None:
            return None
        user_nid = self._graph.texts.find(user_id)
        if user_nid is None or not self._restricted.is_met(conditions, UserNid(user_nid)):
            if all(self._knows(allowed) for allowed in allowed_rooms(conditions)):
                raise Forbidden(f"{user_id} is in none of the rooms whose members may join.")
            raise BadRequest(
                "This server is not in all rooms whose members may join.", errcode="M_UNABLE_TO_AUTHORISE_JOIN"
            )
        authorizer = self._restricted.who_may_invite(room, state)
        if authorizer is None:
            raise BadRequest("No user of this server may invite to the room.", errcode="M_UNABLE_TO_GRANT_JOIN")
        return authorizer

    def _knows(self, room_id: RoomId) -> bool:
        room = self._graph.rooms.find(room_id)
        return room is not None and self._participation.is_in(self._server_name, room)


def _require_own_member(event: Event, origin: ServerName, membership: str) -> None:
    """Raise BadJson unless the event sets the membership of a user of `origin` who sent it."""
    if event.type != "m.room.member":
        raise BadJson(f"The event must be an m.room.member event, not {event.type}.")
    if event.content.get("membership") != membership:
        raise BadJson(f"The event's membership must be {membership}.")
    if event.state_key != event.sender:
        raise BadJson("The event's state key must be its sender.")
    if server_of(event.sender) != origin:
        raise BadJson(f"The event's sender must be a user of {origin}.")
