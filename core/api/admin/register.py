"""Registration by shared secret, as scripts of administrators do it, even where registration is closed.

The HMAC covers nonce, user name, password and `admin` or `notadmin`, with the user type behind where there is one,
joined by NUL.
"""

from __future__ import annotations

import orjson
from flask import Blueprint, Request

from core.accounts.passwords import Passwords
from core.accounts.registration import NewAccount, Registration
from core.accounts.sessions import DeviceRequest
from core.accounts.shared_secret import SharedSecret
from core.ids import ServerName
from core.web.direct import direct
from core.web.schemas import JsonBool, JsonSchema, JsonString, load


class RegisterBody(JsonSchema):
    """The body of the registration."""

    nonce = JsonString(required=True, max_bytes=255)
    username = JsonString(required=True, max_bytes=255, min_bytes=1, allow_nul=False)
    password = JsonString(required=True, max_bytes=512, min_bytes=1, allow_nul=False)
    displayname = JsonString(load_default=None, max_bytes=1024, allow_none=True)
    admin = JsonBool(load_default=False)
    user_type = JsonString(load_default=None, max_bytes=64, allow_nul=False, allow_none=True)
    inhibit_login = JsonBool(load_default=False)
    mac = JsonString(required=True, max_bytes=255)


def blueprint(
    secret: SharedSecret, registration: Registration, passwords: Passwords, server_name: ServerName
) -> Blueprint:
    """Nonce and registration; who knows the secret needs no access token."""
    bp, body_schema = Blueprint("admin_register", __name__), RegisterBody()

    @bp.get("/_synapse/admin/v1/register")
    @direct
    def get_nonce(asked: Request) -> bytes:
        """A nonce for one registration."""
        return orjson.dumps({"nonce": secret.nonce()})

    @bp.post("/_synapse/admin/v1/register")
    @direct
    def post_register(asked: Request) -> bytes:
        """Make an account, and sign it in."""
        body = load(body_schema, asked)
        fields = [body["username"], body["password"], "admin" if body["admin"] else "notadmin"]
        if body["user_type"]:
            fields.append(body["user_type"])
        secret.check(body["nonce"], body["mac"], fields)
        localpart = body["username"].lower()
        registration.check_name(localpart)
        account = NewAccount(
            localpart,
            passwords.hash(body["password"]),
            body["displayname"],
            is_admin=body["admin"],
            user_type=body["user_type"] or None,
            session=None if body["inhibit_login"] else DeviceRequest(),
        )
        user, session = registration.create(account)
        answer = {"user_id": user.user_id, "home_server": server_name}
        if session is not None:
            answer |= {"device_id": session.device_id, "access_token": session.access_token}
        return orjson.dumps(answer)

    return bp
