"""Memberships of rooms that this server is not in, and invites of users of other servers.

Implements core.rooms' RemoteRooms. Spec: Server-Server API, "Joining Rooms", "Knocking upon a room", "Inviting to a room",
"Leaving Rooms (Rejecting Invites)".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gevent.lock import RLock

from core.errors import Forbidden, MatrixError, NotFound
from core.events.build import build_event
from core.events.event import Event
from core.events.room_versions import ROOM_VERSIONS, EventFormat
from core.events.signatures import SigningKey, signatures_of
from core.federation.calls import JoinCalls, ServerCalls
from core.federation.candidates import Candidates
from core.federation.membership_templates import MembershipTemplates
from core.federation.received import ReceivedEvents
from core.federation.remote_errors import RemoteNonsense
from core.federation.remote_joins import RemoteJoins
from core.federation.stripped import pdus_of, read_told_state, servers_in
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import RoomAlias, RoomId, ServerName, UserId, UserNid, server_of
from core.rooms.residents import Residents
from core.rooms.restricted_joins import RestrictedJoins
from core.storage.memberships import OutOfBand
from core.storage.rooms import RoomName

logger = logging.getLogger(__name__)

MOST_ASKED = 2
"""How many servers are asked how complex a room is, before it is tried without knowing."""


class RemoteMemberships:
    """Acts for local users."""

    def __init__(
        self,
        graph: Graph,
        residents: Residents,
        joins: RemoteJoins,
        restricted: RestrictedJoins,
        calls: JoinCalls,
        servers: ServerCalls,
        templates: MembershipTemplates,
        candidates: Candidates,
        received: ReceivedEvents,
        server_name: ServerName,
        signing_key: SigningKey,
    ) -> None:
        self._graph = graph
        self._residents = residents
        self._joins = joins
        self._restricted = restricted
        self._calls = calls
        self._servers = servers
        self._templates = templates
        self._candidates = candidates
        self._received = received
        self._server_name = server_name
        self._signing_key = signing_key
        self._locks: dict[RoomId, RLock] = {}

    def join(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """Join; of users who join the same room at once the first fetches it. Raises MatrixError.

        A room that is here already is joined through another server where only that can vouch for the user.
        """
        lock = self._locks.setdefault(room_id, RLock())
        with lock:
            try:
                room = self._residents.find_local(room_id)
                if room is not None and not self._needs_others(room, user_id):
                    self._join_here(room, user_id, content)
                    return
                servers = [*via, *self._known_servers(user_id, room_id)]
                self._joins.join(user_id, room_id, servers, content, is_entrance=room is None)
            finally:
                self._locks.pop(room_id, None)

    def _needs_others(self, room: RoomName, user_id: UserId) -> bool:
        state = self._graph.states.current(room.room_nid)
        return bool(self._restricted.who_vouches_elsewhere(room, state, user_id))

    def _join_here(self, room: RoomName, user_id: UserId, content: Mapping[str, Any]) -> None:
        """Join a room that somebody else of this server has entered meanwhile."""
        state, user_nid = self._graph.states.current(room.room_nid), UserNid(self._graph.texts.nid(user_id))
        authorizer = self._restricted.authorizing_user(room, state, user_nid, user_id)
        vouched = {} if authorizer is None else {"join_authorised_via_users_server": authorizer}
        self._graph.write.send(room.room_nid, [Draft("m.room.member", user_id, {**content, **vouched}, user_id)])

    def complexity(self, room_id: RoomId, via: Sequence[ServerName]) -> float | None:
        """How complex a room is by the word of the first server that knows; None where none tells."""
        try:
            servers = self._candidates.of(room_id, via)[:MOST_ASKED]
            return self._candidates.first(room_id, servers, lambda server: self._servers.complexity(server, room_id))
        except MatrixError:
            return None

    def knock(self, user_id: UserId, room_id: RoomId, via: Sequence[ServerName], content: Mapping[str, Any]) -> None:
        """Knock, and keep what the room tells of itself. Raises MatrixError."""
        versions = [version.id for version in ROOM_VERSIONS.values() if version.knocking]

        def attempt(server: ServerName) -> None:
            template = self._calls.make_knock(server, room_id, user_id, versions)
            event = self._templates.complete(server, template, room_id, user_id, content)
            told = self._calls.send_knock(server, room_id, event.event_id, event.pdu)
            self._keep(event, read_told_state(told, event.version, room_id, self._received))

        servers = self._candidates.of(room_id, [*via, *self._known_servers(user_id, room_id)])
        self._candidates.first(room_id, servers, attempt)

    def leave(self, user_id: UserId, room_id: RoomId, content: Mapping[str, Any]) -> None:
        """Reject an invite or take back a knock; where no other server can be told, it ends here alone."""

        def attempt(server: ServerName) -> Event:
            template = self._calls.make_leave(server, room_id, user_id)
            event = self._templates.complete(server, template, room_id, user_id, content)
            self._calls.send_leave(server, room_id, event.event_id, event.pdu)
            return event

        own = self._out_of_band(user_id, room_id)
        if own is None:
            raise NotFound(f"You have no invite to room {room_id}, and have not knocked on it.")
        servers = self._candidates.of(room_id, self._known_servers(user_id, room_id))
        try:
            event = self._candidates.first(room_id, servers, attempt)
        except MatrixError as error:
            logger.info("Nobody was told that %s left room %s: %s", user_id, room_id, error.sentence)
            event = self._leave_alone(self._event_of(own), user_id, content)
        self._keep(event, b"[]")

    def invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Have the user's server sign the invite, and append it. Raises MatrixError."""
        room = self._graph.rooms.find(room_id)
        if room is None:
            raise NotFound(f"There is no room {room_id} here.")
        event = self._graph.write.draft_event(room.room_nid, Draft("m.room.member", sender, content, target))
        event = self._graph.write.endorser.endorse(room.room_nid, event)
        server = server_of(target)
        told = pdus_of(self._graph.prejoin.of(self._graph.states.current(room.room_nid), sender))
        pdu = self._calls.invite(server, room_id, event.event_id, event.pdu, room.version.id, told)
        signed = self._received.one(pdu, room.version, room_id, event.event_id)
        if not signatures_of(signed.pdu, server):
            raise RemoteNonsense(server, "it did not sign the invite.")
        appended = self._graph.write.append(room.room_nid, [Admission(signed)])
        violation = appended.refused.get(event.event_id)
        if violation is not None:
            raise violation
        if not self._graph.events.get(event.event_id).is_visible:
            raise Forbidden("The room does not allow this any more.")

    def exchange_invite(self, room_id: RoomId, sender: UserId, target: UserId, content: Mapping[str, Any]) -> None:
        """Have the sender's server make an invite of a user of ours, which it then sends us. Raises MatrixError."""
        partial = {"type": "m.room.member", "room_id": room_id, "sender": sender, "state_key": target}
        self._calls.exchange_third_party_invite(server_of(sender), room_id, {**partial, "content": content})

    def alias(self, alias: RoomAlias) -> tuple[RoomId, Sequence[ServerName]]:
        """Where another server's alias leads. Raises NotFound, MatrixError."""
        return self._servers.directory(alias, server_of(alias))

    def _known_servers(self, user_id: UserId, room_id: RoomId) -> list[ServerName]:
        """Who invited, who told of the room, and who was in it when we were."""
        own = self._out_of_band(user_id, room_id)
        names = [] if own is None else [server_of(self._event_of(own).sender), *servers_in(own.stripped_state)]
        room = self._graph.rooms.find(room_id)
        return names if room is None else [*names, *self._residents.of(room.room_nid)]

    def _out_of_band(self, user_id: UserId, room_id: RoomId) -> OutOfBand | None:
        user, room = self._graph.texts.find(user_id), self._graph.rooms.find(room_id)
        if user is None or room is None:
            return None
        found = self._graph.out_of_band.of(UserNid(user))
        return next((one for one in found if one.room_nid == room.room_nid), None)

    def _event_of(self, own: OutOfBand) -> StoredEvent:
        return self._graph.events.by_nid(own.event_nid)

    def _keep(self, event: Event, stripped: bytes) -> None:
        room = self._graph.rooms.intern(event.room_id, event.version)
        self._graph.members.set_out_of_band(room.room_nid, event, stripped)

    def _leave_alone(self, own: StoredEvent, user_id: UserId, content: Mapping[str, Any]) -> Event:
        """A leave after the invite that no other server has seen."""
        is_v1 = own.version.event_format is EventFormat.V1
        before = own.event if is_v1 else own.event_id
        return build_event(
            own.version,
            own.room_id,
            "m.room.member",
            user_id,
            content,
            prev_events=[before],
            auth_events=[before],
            depth=own.event.depth + 1,
            origin_server_ts=int(time.time() * 1000),
            server=self._server_name,
            signing_key=self._signing_key,
            state_key=user_id,
            opaque_id=f"leave{own.nid}" if is_v1 else None,
        )
