"""Addresses of the caller's account. Spec: Client-Server API, "Adding Account Administrative Contact Information"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf

from core.accounts.identity_servers import IdentityServers
from core.accounts.interactive_auth import InteractiveAuth, Operation
from core.accounts.password_change import PASSWORD_FLOW
from core.accounts.threepids import Threepids, canonical
from core.accounts.validation import NotValidated, NoValidSession, Proof
from core.errors import BadRequest, Forbidden
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import Empty, JsonNested, JsonSchema, JsonString, dump, json_reply, load, load_object

ADD_PATH = "/_matrix/client/v3/account/3pid/add"


class Credentials(JsonSchema):
    """A validation session."""

    client_secret = JsonString(required=True, max_bytes=255)
    sid = JsonString(required=True, max_bytes=255)


class OldBody(JsonSchema):
    """The body of the deprecated POST /account/3pid; some clients spell its key in camel case."""

    three_pid_creds = JsonNested(Credentials, required=True)


class BindBody(Credentials):
    """The body of /bind."""

    id_server = JsonString(required=True, max_bytes=255)
    id_access_token = JsonString(required=True, max_bytes=2048)


class AddressBody(JsonSchema):
    """The body of /delete and /unbind."""

    medium = JsonString(required=True, validate=OneOf(("email", "msisdn"), error="must be email or msisdn"))
    address = JsonString(required=True, max_bytes=255, min_bytes=1)
    id_server = JsonString(load_default=None, max_bytes=255, allow_none=True)


class ValidatedSessions:
    """What a validation session has shown, ours or the delegate's for text messages."""

    def __init__(self, own: Any, identity: IdentityServers) -> None:
        self._own = own
        self._identity = identity

    def proof(self, credentials: dict[str, Any]) -> Proof:
        """Raises: `BadRequest` with `M_THREEPID_AUTH_FAILED` where nothing was shown."""
        sid, client_secret = credentials["sid"], credentials["client_secret"]
        try:
            try:
                proof: Proof = self._own(sid, client_secret)
            except NoValidSession:
                if not self._identity.can_text:
                    raise
                proof = self._identity.validated(sid, client_secret)
        except (NoValidSession, NotValidated) as error:
            raise BadRequest(error.sentence, errcode="M_THREEPID_AUTH_FAILED") from error
        return proof


def blueprint(
    threepids: Threepids,
    identity: IdentityServers,
    validated: ValidatedSessions,
    interactive: InteractiveAuth,
    gate: Gate,
    may_change: bool,
) -> Blueprint:
    """Listing, adding, removing; publishing and taking back."""
    bp = Blueprint("client_administrative_contact", __name__)
    credentials, old_body, address_body = Credentials(), OldBody(), AddressBody()

    def refuse_changes() -> None:
        if not may_change:
            raise Forbidden("This server does not let users change their addresses.")

    @bp.get("/_matrix/client/v3/account/3pid")
    def get_threepids() -> ResponseReturnValue:
        """The account's addresses."""
        requester = gate.authenticate(request)
        return json_reply(
            {
                "threepids": [
                    {
                        "medium": one.medium,
                        "address": one.address,
                        "validated_at": one.validated_ms,
                        "added_at": one.added_ms,
                    }
                    for one in threepids.of_user(requester.user_nid)
                ]
            }
        )

    @bp.post("/_matrix/client/v3/account/3pid")
    def post_threepid() -> ResponseReturnValue:
        """Add an address, as old clients do."""
        requester = gate.authenticate(request)
        refuse_changes()
        body = read_object(request)
        if "threePidCreds" in body:
            body["three_pid_creds"] = body.pop("threePidCreds")
        fields = load_object(old_body, body)["three_pid_creds"]
        threepids.add(requester.user_id, requester.user_nid, validated.proof(fields))
        return dump(Empty, {})

    @bp.post(ADD_PATH)
    def post_add() -> ResponseReturnValue:
        """Add an address."""
        requester = gate.authenticate(request)
        refuse_changes()
        body = read_object(request)
        auth = body.pop("auth", None)
        fields = load_object(credentials, body)
        operation = Operation("POST", ADD_PATH, body, requester.user_id, requester.token_nid, may_skip=True)
        passed = interactive.authorize(operation, auth, (PASSWORD_FLOW,))
        threepids.add(requester.user_id, requester.user_nid, validated.proof(fields))
        interactive.end(passed)
        return dump(Empty, {})

    @bp.post("/_matrix/client/v3/account/3pid/delete")
    def post_delete() -> ResponseReturnValue:
        """Remove an address, and take it back where it was published."""
        requester = gate.authenticate(request)
        refuse_changes()
        body = load(address_body, request)
        address = canonical(body["medium"], body["address"])
        is_unbound = identity.unbind(requester.user_id, requester.user_nid, body["medium"], address, body["id_server"])
        threepids.remove(requester.user_id, requester.user_nid, body["medium"], address)
        return json_reply({"id_server_unbind_result": "success" if is_unbound else "no-support"})

    _add_binding(bp, identity, gate, refuse_changes)
    return bp


def _add_binding(bp: Blueprint, identity: IdentityServers, gate: Gate, refuse_changes: Any) -> None:
    bind_body, address_body = BindBody(), AddressBody()

    @bp.post("/_matrix/client/v3/account/3pid/bind")
    def post_bind() -> ResponseReturnValue:
        """Publish an address at an identity server."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_3pid_validation")
        body = load(bind_body, request)
        identity.bind(
            requester.user_id,
            requester.user_nid,
            body["sid"],
            body["client_secret"],
            body["id_server"],
            body["id_access_token"],
        )
        return dump(Empty, {})

    @bp.post("/_matrix/client/v3/account/3pid/unbind")
    def post_unbind() -> ResponseReturnValue:
        """Take a published address back."""
        requester = gate.authenticate(request)
        body = load(address_body, request)
        is_unbound = identity.unbind(
            requester.user_id,
            requester.user_nid,
            body["medium"],
            canonical(body["medium"], body["address"]),
            body["id_server"],
        )
        return json_reply({"id_server_unbind_result": "success" if is_unbound else "no-support"})
