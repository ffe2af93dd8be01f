"""Tags of rooms. Spec: Client-Server API, "Room Tagging"."""

from __future__ import annotations

import math
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import BadJson, InvalidParam
from core.ids import RoomId, UserId, is_room_id
from core.rooms.tags import Tags
from core.web.gate import Gate
from core.web.json_body import kind_of, read_object
from core.web.schemas import Empty, dump, json_reply

TAGS_PATH = "/_matrix/client/v3/user/<user_id>/rooms/<room_id>/tags"


def blueprint(tags: Tags, gate: Gate) -> Blueprint:
    """Listing, adding and removing tags."""
    bp = Blueprint("client_tags", __name__)

    @bp.get(TAGS_PATH)
    def get_tags(user_id: str, room_id: str) -> ResponseReturnValue:
        """The tags of a room."""
        requester = gate.authenticate(request)
        return json_reply({"tags": tags.of_room(requester, UserId(user_id), _room_id(room_id))})

    @bp.put(f"{TAGS_PATH}/<tag>")
    def put_tag(user_id: str, room_id: str, tag: str) -> ResponseReturnValue:
        """Put a tag on a room."""
        requester = gate.authenticate(request)
        content = _tag_content(read_object(request, may_be_empty=True))
        tags.put(requester, UserId(user_id), _room_id(room_id), tag, content)
        return dump(Empty, {})

    @bp.delete(f"{TAGS_PATH}/<tag>")
    def delete_tag(user_id: str, room_id: str, tag: str) -> ResponseReturnValue:
        """Take a tag off a room."""
        requester = gate.authenticate(request)
        tags.remove(requester, UserId(user_id), _room_id(room_id), tag)
        return dump(Empty, {})

    return bp


def _tag_content(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a tag: any object whose `order`, if it has one, is a number. Raises BadJson.

    Clients are to choose one from 0 to 1, but not all do, and the order among the others is theirs to make sense of.
    """
    order = content.get("order", 0)
    if type(order) not in (int, float):
        raise BadJson(f"'order' must be a number from 0 to 1, not {kind_of(order)}.")
    if not math.isfinite(order):
        raise BadJson("'order' must be a finite number.")
    return content


def _room_id(text: str) -> RoomId:
    if not is_room_id(text):
        raise InvalidParam("The path must name a room id, which starts with an exclamation mark.")
    return RoomId(text)
