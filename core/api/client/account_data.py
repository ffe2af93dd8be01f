"""Account data. Spec: Client-Server API, "Client Config"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.account_data import AccountData
from core.errors import InvalidParam
from core.ids import RoomId, UserId, is_room_id
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import Empty, dump, json_reply

GLOBAL_PATH = "/_matrix/client/v3/user/<user_id>/account_data/<type>"
ROOM_PATH = "/_matrix/client/v3/user/<user_id>/rooms/<room_id>/account_data/<type>"


def blueprint(account_data: AccountData, gate: Gate) -> Blueprint:
    """Reading and setting account data, of the account and of rooms."""
    bp = Blueprint("client_account_data", __name__)

    @bp.get(GLOBAL_PATH)
    def get_global(user_id: str, type: str) -> ResponseReturnValue:
        """The account's own data of one type."""
        requester = gate.authenticate(request)
        return json_reply(account_data.get(requester, UserId(user_id), type))

    @bp.put(GLOBAL_PATH)
    def put_global(user_id: str, type: str) -> ResponseReturnValue:
        """Set the account's own data of one type."""
        requester = gate.authenticate(request)
        account_data.set(requester, UserId(user_id), type, read_object(request))
        return dump(Empty, {})

    @bp.get(ROOM_PATH)
    def get_in_room(user_id: str, room_id: str, type: str) -> ResponseReturnValue:
        """A room's data of one type."""
        requester = gate.authenticate(request)
        return json_reply(account_data.get(requester, UserId(user_id), type, _room_id(room_id)))

    @bp.put(ROOM_PATH)
    def put_in_room(user_id: str, room_id: str, type: str) -> ResponseReturnValue:
        """Set a room's data of one type."""
        requester = gate.authenticate(request)
        account_data.set(requester, UserId(user_id), type, read_object(request), _room_id(room_id))
        return dump(Empty, {})

    return bp


def _room_id(text: str) -> RoomId:
    if not is_room_id(text):
        raise InvalidParam("The path must name a room id, which starts with an exclamation mark.")
    return RoomId(text)
