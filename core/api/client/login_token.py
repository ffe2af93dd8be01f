"""Tokens for another client's login, and what is said of OAuth 2.0.

Spec: Client-Server API, `POST /login/get_token`, "Authentication API discovery".
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.interactive_auth import InteractiveAuth, Operation
from core.accounts.login_tokens import LoginTokens
from core.errors import Forbidden, Unrecognized
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import json_reply

PATH = "/_matrix/client/v1/login/get_token"
FLOWS = (("m.login.password",),)


def blueprint(
    tokens: LoginTokens, interactive: InteractiveAuth, gate: Gate, is_enabled: bool, must_confirm: bool = True
) -> Blueprint:
    """Login tokens; without `must_confirm` the access token suffices."""
    bp = Blueprint("client_login_token", __name__)

    @bp.post(PATH)
    def post_get_token() -> ResponseReturnValue:
        """A token that signs one other client in. Confirmed anew each time, whatever was confirmed before."""
        requester = gate.authenticate(request)
        if not is_enabled:
            raise Unrecognized("This server gives out no login tokens.")
        if requester.appservice_id is not None:
            raise Forbidden("Application services have other ways to sign their users in.")
        body = read_object(request, may_be_empty=True)
        auth = body.pop("auth", None)
        if must_confirm:
            interactive.authorize(Operation("POST", PATH, body, requester.user_id), auth, FLOWS)
        gate.limit(requester, "rc_login.account")
        token = tokens.new_token(requester.user_nid)
        return json_reply({"login_token": token, "expires_in_ms": tokens.lifetime_ms})

    @bp.get("/_matrix/client/v1/auth_metadata")
    def get_auth_metadata() -> ResponseReturnValue:
        """There is no OAuth 2.0 API here."""
        raise Unrecognized("This server has no OAuth 2.0 API; use the legacy API.")

    return bp
