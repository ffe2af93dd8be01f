"""Rooms shared with another user. Spec: Client-Server API, "Mutual Rooms".

Clients also ask at the paths this had before it was specified, with other names for the tokens.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import InvalidParam
from core.ids import UserId, is_user_id
from core.rooms.mutual_rooms import MutualRooms
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryString, UserIdField, json_reply, load_query


class MutualQuery(JsonSchema):
    """With whom, from where on."""

    user_id = UserIdField(required=True)
    start = QueryString(data_key="from", load_default=None)


class BatchQuery(JsonSchema):
    """From where on, as it was called before."""

    batch_token = QueryString(load_default=None)


class OlderQuery(BatchQuery):
    """With whom, from where on, as it was called before."""

    user_id = UserIdField(required=True)


def blueprint(mutual: MutualRooms, gate: Gate) -> Blueprint:
    """Shared rooms."""
    bp = Blueprint("client_mutual_rooms", __name__)
    schema, older, batch = MutualQuery(), OlderQuery(), BatchQuery()

    def answer(user_id: str, token: str | None, next_name: str) -> dict[str, Any]:
        page = mutual.page(gate.authenticate(request), UserId(user_id), token)
        more = {} if page.next_batch is None else {next_name: page.next_batch}
        return {"joined": page.joined, "count": page.count, **more}

    @bp.get("/_matrix/client/v1/mutual_rooms")
    def get_mutual_rooms() -> ResponseReturnValue:
        """The rooms shared with a user."""
        gate.authenticate(request)
        query = load_query(schema, request)
        return json_reply(answer(query["user_id"], query["start"], "next_batch"))

    @bp.get("/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms")
    def get_unstable_mutual_rooms() -> ResponseReturnValue:
        """As above, with older names."""
        gate.authenticate(request)
        query = load_query(older, request)
        return json_reply(answer(query["user_id"], query["batch_token"], "next_batch_token"))

    @bp.get("/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms/<user_id>")
    def get_oldest_mutual_rooms(user_id: str) -> ResponseReturnValue:
        """As above, with the user in the path."""
        gate.authenticate(request)
        if not is_user_id(user_id):
            raise InvalidParam(f"{user_id[:300]!r} is no user id; they look like @name:example.org.")
        return json_reply(answer(user_id, load_query(batch, request)["batch_token"], "next_batch_token"))

    return bp
