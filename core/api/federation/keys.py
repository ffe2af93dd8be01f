"""Signing keys: ours, and as a notary those of others. Spec: Server-Server API, "Retrieving server keys"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import BadJson, InvalidParam
from core.federation.notary_service import NotaryService
from core.federation.own_keys import OwnKeys
from core.federation.server_names import find_name_parts
from core.web.schemas import JsonInt, JsonObject, JsonSchema, QueryInt, json_reply, load, load_object, load_query

MAX_SERVERS = 200
"""Most servers one question names."""


class NotaryBody(JsonSchema):
    """Server name to key id to criteria."""

    server_keys = JsonObject(JsonObject(JsonObject()), required=True)


class Criteria(JsonSchema):
    """What is wanted of one key."""

    minimum_valid_until_ts = JsonInt(load_default=None, allow_none=True)


class NotaryQuery(JsonSchema):
    """The same for one server."""

    minimum_valid_until_ts = QueryInt(load_default=None)


def blueprint(own: OwnKeys, notary: NotaryService) -> Blueprint:
    """Keys."""
    bp = Blueprint("federation_keys", __name__)
    body, criteria, query = NotaryBody(), Criteria(), NotaryQuery()

    @bp.get("/_matrix/key/v2/server")
    @bp.get("/_matrix/key/v2/server/<key_id>")
    def get_server_key(key_id: str = "") -> ResponseReturnValue:
        """Our keys, all of them whatever key is asked for."""
        return json_reply(own.published())

    @bp.get("/_matrix/key/v2/query/<server_name>")
    @bp.get("/_matrix/key/v2/query/<server_name>/<key_id>")
    def perspectives_key_query(server_name: str, key_id: str = "") -> ResponseReturnValue:
        """Another server's keys."""
        if find_name_parts(server_name) is None:
            raise InvalidParam("The path must name a server such as example.org.")
        until = load_query(query, request)["minimum_valid_until_ts"]
        return json_reply({"server_keys": notary.answer({server_name: {key_id: until} if key_id else {}})})

    @bp.post("/_matrix/key/v2/query")
    def bulk_perspectives_key_query() -> ResponseReturnValue:
        """Several servers' keys."""
        asked = load(body, request)["server_keys"]
        if len(asked) > MAX_SERVERS:
            raise BadJson(f"'server_keys' must name at most {MAX_SERVERS} servers.")
        wanted = {
            server: {key_id: load_object(criteria, wish)["minimum_valid_until_ts"] for key_id, wish in keys.items()}
            for server, keys in asked.items()
        }
        return json_reply({"server_keys": notary.answer(wanted)})

    return bp
