"""Sending message events, and redactions. Spec: Client-Server API, "Sending events to a room" and "Redactions"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.client.delayed_events import asked_delay_ms
from core.ids import EventId, RoomId
from core.rooms.delayed_events import DelayedEvents
from core.rooms.sending import Sending, check_message
from core.sync.activity import Activity
from core.web.gate import Gate
from core.web.schemas import json_reply, read_json


def blueprint(sending: Sending, delayed: DelayedEvents, activity: Activity, gate: Gate) -> Blueprint:
    """Message events and redactions."""
    bp = Blueprint("client_room_send", __name__)

    @bp.put("/_matrix/client/v3/rooms/<room_id>/send/<event_type>/<txn_id>")
    def send_message(room_id: str, event_type: str, txn_id: str) -> ResponseReturnValue:
        """Send a message event, at once or after a delay."""
        requester = gate.authenticate(request, allow_guest=True)
        gate.limit(requester, "rc_message")
        content = _content(event_type)
        delay_ms = asked_delay_ms(request)
        if delay_ms is not None:
            draft = (event_type, None, content)
            return json_reply({"delay_id": delayed.schedule(requester, RoomId(room_id), draft, delay_ms, txn_id)})
        activity.acted(requester)
        return _sent(sending.send(requester, RoomId(room_id), event_type, content, txn_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/send/<event_type>")
    def post_message(room_id: str, event_type: str) -> ResponseReturnValue:
        """As `send_message` for clients of the first releases, which know no transactions."""
        requester = gate.authenticate(request, allow_guest=True)
        gate.limit(requester, "rc_message")
        activity.acted(requester)
        return _sent(sending.send(requester, RoomId(room_id), event_type, _content(event_type), None))

    @bp.put("/_matrix/client/v3/rooms/<room_id>/redact/<event_id>/<txn_id>")
    def redact_event(room_id: str, event_id: str, txn_id: str) -> ResponseReturnValue:
        """Redact an event."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_message")
        content = read_json(request)
        return _sent(sending.redact(requester, RoomId(room_id), EventId(event_id), content, txn_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/redact/<event_id>")
    def post_redaction(room_id: str, event_id: str) -> ResponseReturnValue:
        """As `redact_event` for clients of the first releases, which know no transactions."""
        requester = gate.authenticate(request)
        gate.limit(requester, "rc_message")
        return _sent(sending.redact(requester, RoomId(room_id), EventId(event_id), read_json(request), None))

    return bp


def _content(event_type: str) -> dict[str, Any]:
    content = read_json(request)
    check_message(event_type, content)
    return content


def _sent(event_id: EventId) -> ResponseReturnValue:
    return json_reply({"event_id": event_id})
