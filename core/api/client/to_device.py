"""To-device messages. Spec: Client-Server API, "Send-to-Device messaging"."""

from __future__ import annotations

from flask import Blueprint, Request

from core.encryption.to_device import ToDevice
from core.errors import BadJson
from core.web.direct import direct
from core.web.gate import Gate
from core.web.json_body import kind_of, read_object

MAX_BODY_BYTES = 10_485_760
"""Clients send room keys to some hundred devices at once, a few kilobytes each."""

KEY_REQUEST = "m.room_key_request"
"""Clients that lost their keys ask all of a user's devices for them, again and again; these alone are limited."""


def blueprint(messages: ToDevice, gate: Gate) -> Blueprint:
    """Sending messages to devices."""
    bp = Blueprint("client_to_device", __name__)

    @bp.put("/_matrix/client/v3/sendToDevice/<event_type>/<txn_id>")
    @direct
    def send_to_device(asked: Request, event_type: str, txn_id: str) -> bytes:
        """Send one message to each of some devices."""
        requester = gate.authenticate(asked, allow_guest=True)
        if event_type == KEY_REQUEST:
            gate.limit(requester, "rc_key_requests")
        wanted = read_object(asked, MAX_BODY_BYTES).get("messages")
        if not isinstance(wanted, dict):
            raise BadJson(f"'messages' is required and must be an object, not {kind_of(wanted)}.")
        messages.send(requester, event_type, txn_id, wanted)
        return b"{}"

    return bp
