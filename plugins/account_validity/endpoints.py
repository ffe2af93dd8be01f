"""The endpoints of account validity: the link in the mail, and an administrator's. Both are Synapse's."""

from __future__ import annotations

from typing import Protocol

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.hooks import BadJson, InvalidParam, PluginApi, UserId

RENEW = "/_matrix/client/unstable/account_validity/renew"
_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{0}</title></head><body><p>{0}</p></body></html>'
)
_LAST_MS = 2**53


class Renewing(Protocol):
    """What the endpoints do; plugins.account_validity.plugin."""

    def renew_by(self, token: str) -> UserId | None: ...

    def set_validity(self, user_id: UserId, expires_ms: int | None, wants_mail: bool) -> int: ...


def blueprint(api: PluginApi, accounts: Renewing) -> Blueprint:
    """Renewing accounts."""
    bp = Blueprint("plugin_account_validity", __name__)

    @bp.get(RENEW)
    def renew() -> ResponseReturnValue:
        """Renew by the token of a mail; a page for people."""
        token = request.args.get("token", "")
        if not token or accounts.renew_by(token) is None:
            return Response(_PAGE.format("This link is not valid, or has been used already."), 404)
        return Response(_PAGE.format("Your account has been renewed."), 200)

    @bp.post("/_synapse/admin/v1/account_validity/validity")
    def set_validity() -> ResponseReturnValue:
        """Set when an account expires."""
        api.gate.authenticate_admin(request)
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("user_id"), str):
            raise BadJson("'user_id' is required and must be a string.")
        expires_ms, wants_mail = body.get("expiration_ts"), body.get("enable_renewal_emails", True)
        if expires_ms is not None and not (type(expires_ms) is int and 0 <= expires_ms < _LAST_MS):
            raise InvalidParam("'expiration_ts' must be a time in milliseconds.")
        if not isinstance(wants_mail, bool):
            raise InvalidParam("'enable_renewal_emails' must be true or false.")
        return jsonify({"expiration_ts": accounts.set_validity(UserId(body["user_id"]), expires_ms, wants_mail)})

    return bp
