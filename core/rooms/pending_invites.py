"""Invites to an address that has found its owner: the identity server's proof becomes an invite of that user.

The proof is an object the identity server signed, with keys that the room knows since the invite was made; the auth rules
check it. Where the room is not ours, the inviting server makes the invite.
Spec: Client-Server API, "Third-party invites"; Server-Server API, "Third-party invites".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from core.errors import Forbidden, MatrixError, NotFound
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.ids import RoomId, ServerName, UserId, is_user_id, server_of
from core.rooms.profiles import Profiles
from core.rooms.remote_rooms import RemoteRooms
from core.rooms.residents import Residents
from core.storage.outbound_relays import OutboundRelayStore
from core.storage.rooms import RoomName
from core.storage.users import UserStore

logger = logging.getLogger(__name__)

Proof = Mapping[str, Any]
"""What the identity server signed: `mxid`, `token`, `signatures`, and `sender` where it says who invited."""


class PendingInvites:
    """Turns proofs into invites."""

    def __init__(
        self,
        graph: Graph,
        residents: Residents,
        remote: RemoteRooms,
        profiles: Profiles,
        users: UserStore,
        relays: OutboundRelayStore,
        server_name: ServerName,
    ) -> None:
        self._graph = graph
        self._residents = residents
        self._remote = remote
        self._profiles = profiles
        self._users = users
        self._relays = relays
        self._server_name = server_name

    def claim(self, user_id: UserId, room_id: RoomId, sender: UserId, proof: Proof) -> None:
        """An identity server says that a user of ours was invited. What comes to nothing is logged."""
        try:
            if self._users.find(user_id) is None:
                raise NotFound(f"There is no user {user_id} here.")
            self._claim(user_id, room_id, sender, proof)
        except MatrixError as error:
            logger.info(
                "An invite of %s to room %s by an address came to nothing: %s", user_id, room_id, error.sentence
            )

    def accept(self, user_id: UserId, room_id: RoomId, proof: Proof) -> list[ServerName]:
        """A user of ours shows the proof on joining; returns the servers to join through. Raises MatrixError."""
        sender = proof.get("sender")
        inviter = UserId(sender) if isinstance(sender, str) and is_user_id(sender) else None
        self._claim(user_id, room_id, inviter, proof)
        return [] if inviter is None or server_of(inviter) == self._server_name else [server_of(inviter)]

    def exchange(self, room_id: RoomId, target: UserId, proof: Proof) -> None:
        """Another server shows the proof for its user, whom one of ours had invited. Raises MatrixError."""
        room = self._residents.find_local(room_id)
        if room is None:
            raise NotFound(f"This server is not in room {room_id}.")
        content, sender = self._content(room, target, proof)
        if server_of(sender) != self._server_name:
            raise Forbidden(f"The invite is {sender}'s: their server has to be asked.")
        self._remote.invite(room_id, sender, target, content)

    def _claim(self, user_id: UserId, room_id: RoomId, sender: UserId | None, proof: Proof) -> None:
        room = self._residents.find_local(room_id)
        if room is not None:
            self._issue(room, user_id, proof)
        elif sender is not None and server_of(sender) != self._server_name:
            content = {"membership": "invite", "third_party_invite": {"display_name": "", "signed": dict(proof)}}
            self._remote.exchange_invite(room_id, sender, user_id, content)
        else:
            raise Forbidden(f"Room {room_id} is not known here, nor who invited to it.")

    def _issue(self, room: RoomName, target: UserId, proof: Proof) -> None:
        """Make the invite here. It may be in the name of another server's user, so the others hear of it from us."""
        content, sender = self._content(room, target, proof)
        content = {**self._profiles.member_fields(target), **content}
        event = self._graph.write.draft_event(room.room_nid, Draft("m.room.member", sender, content, target))
        event = self._graph.write.endorser.endorse(room.room_nid, event)
        self._relays.note(event.event_id)
        refused = self._graph.write.append(room.room_nid, [Admission(event)]).refused
        for violation in refused.values():
            raise violation

    def _content(self, room: RoomName, target: UserId, proof: Proof) -> tuple[dict[str, Any], UserId]:
        """(the invite's content, who invites). Raises Forbidden for a proof that is for somebody else."""
        state = self._graph.states.current(room.room_nid)
        offered = state.get("m.room.third_party_invite", str(proof.get("token")))
        if offered is None or proof.get("mxid") != target:
            raise Forbidden("'third_party_signed' is for nobody of this name, or the room has no such invite.")
        invite = {"display_name": offered.content.get("display_name", ""), "signed": dict(proof)}
        return {"membership": "invite", "third_party_invite": invite}, offered.sender
