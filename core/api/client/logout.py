"""Logout. Spec: Client-Server API, "Legacy login". Locked accounts may log out, too."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.access_tokens import AccessTokens
from core.accounts.sessions import Sessions
from core.errors import MissingToken
from core.ids import Requester
from core.web.gate import access_token
from core.web.schemas import Empty, dump


def blueprint(sessions: Sessions, tokens: AccessTokens) -> Blueprint:
    """Ending one session, or all of an account."""
    bp = Blueprint("client_logout", __name__)

    def caller() -> Requester:
        token = access_token(request)
        if token is None:
            raise MissingToken("An access token is needed: send it as 'Authorization: Bearer <token>'.")
        return tokens.even_locked(token)

    @bp.post("/_matrix/client/v3/logout")
    def post_logout() -> ResponseReturnValue:
        """End this session and remove its device."""
        sessions.close(caller())
        return dump(Empty, {})

    @bp.post("/_matrix/client/v3/logout/all")
    def post_logout_all() -> ResponseReturnValue:
        """End all sessions of the account."""
        sessions.close_all(caller().user_nid)
        return dump(Empty, {})

    return bp
