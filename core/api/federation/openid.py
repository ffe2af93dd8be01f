"""Whose OpenID token it is. Spec: Server-Server API, "OpenID". Services ask without being servers: nothing is signed."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.openid import Openid
from core.errors import MissingToken
from core.web.schemas import json_reply


def blueprint(openid: Openid) -> Blueprint:
    """The exchange of a token."""
    bp = Blueprint("federation_openid", __name__)

    @bp.get("/_matrix/federation/v1/openid/userinfo")
    def get_userinfo() -> ResponseReturnValue:
        """The owner of the token."""
        token = request.args.get("access_token")
        if not token:
            raise MissingToken("'access_token' is required in the query.")
        return json_reply({"sub": openid.owner_of(token)})

    return bp
