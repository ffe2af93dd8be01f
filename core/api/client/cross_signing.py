"""Cross-signing keys and signatures. Spec: Client-Server API, "Cross-signing"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.interactive_auth import InteractiveAuth, Operation
from core.encryption.cross_signing import CrossSigning
from core.encryption.signatures import SignatureUploads
from core.errors import BadJson
from core.web.gate import Gate
from core.web.json_body import kind_of, read_object
from core.web.schemas import Empty, dump, json_reply

PATH = "/_matrix/client/v3/keys"
FLOWS = (("m.login.password",),)
"""How a user authenticates to replace keys."""


def blueprint(
    cross_signing: CrossSigning, signatures: SignatureUploads, interactive: InteractiveAuth, gate: Gate
) -> Blueprint:
    """Publishing keys and signatures."""
    bp = Blueprint("client_cross_signing", __name__)

    @bp.post(f"{PATH}/device_signing/upload")
    def upload_keys() -> ResponseReturnValue:
        """Publish the caller's cross-signing keys; replacing some takes user-interactive authentication."""
        requester = gate.authenticate(request)
        body = read_object(request)
        auth = body.pop("auth", None)
        new = cross_signing.check(requester, body)
        is_authenticated = requester.appservice_id is not None
        if not is_authenticated and cross_signing.must_authenticate(requester, new):
            operation = Operation(
                "POST", f"{PATH}/device_signing/upload", body, requester.user_id, requester.token_nid, may_skip=True
            )
            interactive.authorize(operation, auth, FLOWS)
            is_authenticated = True
        cross_signing.upload(requester, new, is_authenticated)
        return dump(Empty, {})

    @bp.post(f"{PATH}/signatures/upload")
    def upload_signatures() -> ResponseReturnValue:
        """Publish signatures of the caller on their own keys and on others' master keys."""
        requester = gate.authenticate(request)
        body: dict[str, Any] = read_object(request)
        for user_id, objects in body.items():
            if not isinstance(objects, dict):
                raise BadJson(f"'{user_id[:255]}' must be an object of key ids, not {kind_of(objects)}.")
        return json_reply({"failures": signatures.upload(requester, body)})

    return bp
