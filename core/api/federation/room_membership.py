"""Joins, knocks and leaves of other servers' users through this one.

Spec: Server-Server API, "Joining Rooms", "Knocking upon a room", "Leaving Rooms (Rejecting Invites)".
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.federation.handshakes import Handshakes
from core.federation.join_answers import JoinAnswers
from core.ids import EventId, RoomId, UserId
from core.web.schemas import JsonSchema, QueryBool, QueryStrings, json_reply, load_query

_V1 = "/_matrix/federation/v1"
_V2 = "/_matrix/federation/v2"


class VersionsQuery(JsonSchema):
    """The room versions the other server understands."""

    ver = QueryStrings(load_default=["1"])


class JoinQuery(JsonSchema):
    """Whether the state may come without most members."""

    omit_members = QueryBool(load_default=False)


def blueprint(handshakes: Handshakes, answers: JoinAnswers, gate: ServerGate) -> Blueprint:
    """Handshakes of membership."""
    bp, versions, join_query = Blueprint("federation_room_membership", __name__), VersionsQuery(), JoinQuery()

    @bp.get(f"{_V1}/make_join/<room_id>/<user_id>")
    def make_join(room_id: str, user_id: str) -> ResponseReturnValue:
        """A join to be signed."""
        return _make(room_id, user_id, "join")

    @bp.get(f"{_V1}/make_knock/<room_id>/<user_id>")
    def make_knock(room_id: str, user_id: str) -> ResponseReturnValue:
        """A knock to be signed."""
        return _make(room_id, user_id, "knock")

    @bp.get(f"{_V1}/make_leave/<room_id>/<user_id>")
    def make_leave(room_id: str, user_id: str) -> ResponseReturnValue:
        """A leave to be signed."""
        origin = gate.authenticate(request)
        return json_reply(handshakes.make(origin, RoomId(room_id), UserId(user_id), "leave", None))

    def _make(room_id: str, user_id: str, membership: str) -> ResponseReturnValue:
        origin = gate.authenticate(request)
        offered = load_query(versions, request)["ver"]
        return json_reply(handshakes.make(origin, RoomId(room_id), UserId(user_id), membership, offered))

    @bp.put(f"{_V2}/send_join/<room_id>/<event_id>")
    def send_join_v2(room_id: str, event_id: str) -> ResponseReturnValue:
        """A signed join, answered with the room's state."""
        return json_reply(_join(room_id, event_id))

    @bp.put(f"{_V1}/send_join/<room_id>/<event_id>")
    def send_join_v1(room_id: str, event_id: str) -> ResponseReturnValue:
        """The same, in the older form."""
        return json_reply(b"[200,%b]" % _join(room_id, event_id))

    def _join(room_id: str, event_id: str) -> bytes:
        origin, pdu = gate.read(request)
        omit_members = load_query(join_query, request)["omit_members"]
        admitted = handshakes.send(origin, RoomId(room_id), EventId(event_id), pdu, "join")
        return answers.join(admitted, omit_members)

    @bp.put(f"{_V1}/send_knock/<room_id>/<event_id>")
    def send_knock(room_id: str, event_id: str) -> ResponseReturnValue:
        """A signed knock, answered with what identifies the room."""
        origin, pdu = gate.read(request)
        admitted = handshakes.send(origin, RoomId(room_id), EventId(event_id), pdu, "knock")
        return json_reply(answers.knock(admitted))

    @bp.put(f"{_V2}/send_leave/<room_id>/<event_id>")
    def send_leave_v2(room_id: str, event_id: str) -> ResponseReturnValue:
        """A signed leave."""
        _leave(room_id, event_id)
        return json_reply(b"{}")

    @bp.put(f"{_V1}/send_leave/<room_id>/<event_id>")
    def send_leave_v1(room_id: str, event_id: str) -> ResponseReturnValue:
        """The same, in the older form."""
        _leave(room_id, event_id)
        return json_reply(b"[200,{}]")

    def _leave(room_id: str, event_id: str) -> None:
        origin, pdu = gate.read(request)
        handshakes.send(origin, RoomId(room_id), EventId(event_id), pdu, "leave")

    return bp
