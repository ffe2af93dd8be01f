"""This server's recommendations, for rooms that ask for them. Spec: Server-Server API, "Policy Servers"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.errors import NotFound, Unrecognized
from core.federation.own_policy_server import OwnPolicyServer
from core.web.schemas import json_reply


def blueprint(own: OwnPolicyServer | None, gate: ServerGate) -> Blueprint:
    """The endpoints; without `own` this server is no policy server, and says so."""
    bp = Blueprint("federation_policy", __name__)

    @bp.get("/.well-known/matrix/policy_server")
    def get_wellknown_policy() -> ResponseReturnValue:
        """The key that rooms are to name."""
        if own is None:
            raise NotFound("This server is no policy server.")
        return json_reply({"public_keys": own.public_keys()})

    @bp.post("/_matrix/policy/v1/sign")
    def ask_policy_server_to_sign() -> ResponseReturnValue:
        """A signature for an event that may be sent."""
        if own is None:
            raise Unrecognized("This server is no policy server.")
        origin, pdu = gate.read(request)
        return json_reply(dict(own.sign(origin, pdu)))

    return bp
