"""New passwords, and the end of an account. Spec: Client-Server API, "Password management", "Account deactivation"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.deactivation import Deactivation
from core.accounts.interactive_auth import InteractiveAuth, Operation
from core.accounts.password_change import PASSWORD_FLOW, PasswordChange
from core.errors import Forbidden
from core.ids import UserId
from core.web.gate import Gate, client_address
from core.web.json_body import read_object
from core.web.schemas import Empty, JsonBool, JsonSchema, JsonString, dump, json_reply, load_object

PASSWORD_PATH = "/_matrix/client/v3/account/password"
DEACTIVATE_PATH = "/_matrix/client/v3/account/deactivate"


class PasswordBody(JsonSchema):
    """The body of /account/password, without `auth`."""

    new_password = JsonString(required=True, max_bytes=4096, min_bytes=1, allow_nul=False)
    logout_devices = JsonBool(load_default=True)


class DeactivateBody(JsonSchema):
    """The body of /account/deactivate, without `auth`."""

    id_server = JsonString(load_default=None, max_bytes=255, allow_none=True)
    erase = JsonBool(load_default=False)


def blueprint(
    passwords: PasswordChange,
    deactivation: Deactivation,
    interactive: InteractiveAuth,
    gate: Gate,
    may_change_password: bool = True,
) -> Blueprint:
    """Both end sessions, and both take confirmation."""
    bp = Blueprint("client_password_management", __name__)
    password_body, deactivate_body = PasswordBody(), DeactivateBody()

    @bp.post(PASSWORD_PATH)
    def post_password() -> ResponseReturnValue:
        """Set a new password, with an access token or without one."""
        requester = gate.find_requester(request)
        gate.peek(client_address(request) if requester is None else requester, "rc_login.failed_attempts")
        body = read_object(request)
        auth = body.pop("auth", None)
        fields = load_object(password_body, body)
        if not may_change_password:
            raise Forbidden("Passwords of this server's users are changed elsewhere.")
        if requester is not None and requester.is_guest:
            raise Forbidden("Guests have no password.", errcode="M_GUEST_ACCESS_FORBIDDEN")
        if requester is not None and requester.appservice_id is not None:
            raise Forbidden("This account has no password.")
        user_id = None if requester is None else requester.user_id
        token_nid = None if requester is None else requester.token_nid
        operation = Operation("POST", PASSWORD_PATH, body, user_id, token_nid)
        passwords.change(requester, operation, auth, fields["logout_devices"])
        return dump(Empty, {})

    @bp.post(DEACTIVATE_PATH)
    def post_deactivate() -> ResponseReturnValue:
        """End an account; without an access token whoever gives name and password may."""
        requester = gate.find_requester(request)
        body = read_object(request, may_be_empty=True)
        auth = body.pop("auth", None)
        fields = load_object(deactivate_body, body)
        if requester is not None and requester.is_guest:
            raise Forbidden(
                "Guests cannot deactivate their account; it is forgotten by itself.", errcode="M_GUEST_ACCESS_FORBIDDEN"
            )
        if requester is not None and requester.appservice_id is not None:
            user_id = requester.user_id
        else:
            asked_for = None if requester is None else requester.user_id
            passed = interactive.authorize(Operation("POST", DEACTIVATE_PATH, body, asked_for), auth, (PASSWORD_FLOW,))
            user_id = UserId(passed.completed["m.login.password"]["user_id"])
        is_unbound = deactivation.deactivate(user_id, fields["erase"], by=user_id, id_server=fields["id_server"])
        return json_reply({"id_server_unbind_result": "success" if is_unbound else "no-support"})

    return bp
