"""Registration. Spec: Client-Server API, "Legacy account registration"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.auth_stages import RegistrationTokenStage
from core.accounts.interactive_auth import Operation
from core.accounts.login import Origin
from core.accounts.registering import CLOSED, Registering
from core.accounts.sessions import Session
from core.api.client.login import device_request
from core.errors import Forbidden, InvalidParam
from core.ids import ServerName
from core.storage.users import User
from core.web.gate import Gate, client_address
from core.web.json_body import read_object
from core.web.schemas import (
    JsonBool,
    JsonSchema,
    JsonString,
    QueryString,
    json_reply,
    load_object,
    load_query,
)


class RegisterBody(JsonSchema):
    """What is checked of the body of /register beside the device's fields."""

    username = JsonString(load_default=None, max_bytes=1024, allow_none=True)
    password = JsonString(load_default=None, max_bytes=4096, allow_none=True)
    inhibit_login = JsonBool(load_default=False)
    guest_access_token = JsonString(load_default=None, allow_none=True)


class AvailableQuery(JsonSchema):
    """The query of /register/available."""

    username = QueryString(required=True, max_bytes=1024)


class TokenQuery(JsonSchema):
    """The query of the registration token's validity."""

    token = QueryString(required=True, max_bytes=1024)


def blueprint(
    registering: Registering, token_stage: RegistrationTokenStage, gate: Gate, server_name: ServerName
) -> Blueprint:
    """Making an account, and the questions before it."""
    bp = Blueprint("client_registration", __name__)
    register_body, available_query, token_query = RegisterBody(), AvailableQuery(), TokenQuery()

    @bp.post("/_matrix/client/v3/register")
    def post_register() -> ResponseReturnValue:
        """Make an account."""
        ip = client_address(request)
        gate.peek(ip, "rc_registration")
        kind = request.args.get("kind", "user")
        if kind not in {"user", "guest"}:
            raise InvalidParam("'kind' must be user or guest.")
        body = read_object(request, may_be_empty=kind == "guest")
        if kind == "guest":
            wanted = device_request(body)
            gate.limit(ip, "rc_registration")
            return json_reply(_answer(*registering.register_guest(wanted), server_name))
        auth = body.pop("auth", None)
        operation = registering.resumed(Operation("POST", request.path, body, is_remembered=True), auth)
        asked = dict(operation.body)
        fields, wanted = load_object(register_body, asked), device_request(asked)
        if isinstance(auth, dict) and auth.get("type") == token_stage.type:  # or guessing would be free here
            gate.limit(ip, "rc_registration_token_validity")
        origin = Origin(ip, request.environ.get("HTTP_USER_AGENT", ""))
        session = None if fields["inhibit_login"] else wanted
        made = registering.register(operation, auth, session, origin, lambda: gate.limit(ip, "rc_registration"))
        return json_reply(_answer(*made, server_name))

    @bp.get("/_matrix/client/v3/register/available")
    def get_available() -> ResponseReturnValue:
        """Whether a name is free."""
        gate.peek(client_address(request), "rc_registration")
        registering.check_available(load_query(available_query, request)["username"])
        return json_reply({"available": True})

    @bp.get("/_matrix/client/v1/register/m.login.registration_token/validity")
    def get_token_validity() -> ResponseReturnValue:
        """Whether a registration token may be used."""
        gate.limit(client_address(request), "rc_registration_token_validity")
        token = load_query(token_query, request)["token"]
        if not registering.is_open:
            raise Forbidden(CLOSED)
        return json_reply({"valid": token_stage.is_valid(token)})

    return bp


def _answer(user: User, session: Session | None, server_name: ServerName) -> dict[str, Any]:
    answer: dict[str, Any] = {"user_id": user.user_id, "home_server": server_name}
    if session is not None:
        answer |= {"device_id": session.device_id, **session.answer()}
    return answer
