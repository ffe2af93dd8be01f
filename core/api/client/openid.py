"""OpenID tokens. Spec: Client-Server API, "OpenID"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.openid import LIFETIME_S, Openid
from core.errors import Forbidden
from core.ids import ServerName
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import json_reply


def blueprint(openid: Openid, gate: Gate, server_name: ServerName) -> Blueprint:
    """Tokens for the caller."""
    bp = Blueprint("client_openid", __name__)

    @bp.post("/_matrix/client/v3/user/<user_id>/openid/request_token")
    def post_request_token(user_id: str) -> ResponseReturnValue:
        """A token by which the caller can show who they are."""
        requester = gate.authenticate(request)
        read_object(request, may_be_empty=True)
        if requester.user_id != user_id:
            raise Forbidden("A token can only be asked for oneself.")
        token = openid.new_token(requester)
        return json_reply(
            {
                "access_token": token,
                "token_type": "Bearer",
                "matrix_server_name": server_name,
                "expires_in": LIFETIME_S,
            }
        )

    return bp
