"""Sending message events, and redactions. Spec: Client-Server API, "Sending events to a room" and "Redactions"."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Request

from core.api.client.delayed_events import asked_delay_ms
from core.ids import EventId, RoomId
from core.rooms.delayed_events import DelayedEvents
from core.rooms.sending import Sending, check_message
from core.sync.activity import Activity
from core.web.direct import direct
from core.web.gate import Gate
from core.web.schemas import read_json


def blueprint(sending: Sending, delayed: DelayedEvents, activity: Activity, gate: Gate) -> Blueprint:
    """Message events and redactions."""
    bp = Blueprint("client_room_send", __name__)

    @bp.put("/_matrix/client/v3/rooms/<room_id>/send/<event_type>/<txn_id>")
    @direct
    def send_message(asked: Request, room_id: str, event_type: str, txn_id: str) -> bytes:
        """Send a message event, at once or after a delay."""
        requester = gate.authenticate(asked, allow_guest=True)
        gate.limit(requester, "rc_message")
        content = _content(event_type, asked)
        delay_ms = asked_delay_ms(asked)
        if delay_ms is not None:
            draft = (event_type, None, content)
            return orjson.dumps({"delay_id": delayed.schedule(requester, RoomId(room_id), draft, delay_ms, txn_id)})
        activity.acted(requester)
        return _sent(sending.send(requester, RoomId(room_id), event_type, content, txn_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/send/<event_type>")
    @direct
    def post_message(asked: Request, room_id: str, event_type: str) -> bytes:
        """As `send_message` for clients of the first releases, which know no transactions."""
        requester = gate.authenticate(asked, allow_guest=True)
        gate.limit(requester, "rc_message")
        activity.acted(requester)
        return _sent(sending.send(requester, RoomId(room_id), event_type, _content(event_type, asked), None))

    @bp.put("/_matrix/client/v3/rooms/<room_id>/redact/<event_id>/<txn_id>")
    @direct
    def redact_event(asked: Request, room_id: str, event_id: str, txn_id: str) -> bytes:
        """Redact an event."""
        requester = gate.authenticate(asked)
        gate.limit(requester, "rc_message")
        content = read_json(asked)
        return _sent(sending.redact(requester, RoomId(room_id), EventId(event_id), content, txn_id))

    @bp.post("/_matrix/client/v3/rooms/<room_id>/redact/<event_id>")
    @direct
    def post_redaction(asked: Request, room_id: str, event_id: str) -> bytes:
        """As `redact_event` for clients of the first releases, which know no transactions."""
        requester = gate.authenticate(asked)
        gate.limit(requester, "rc_message")
        return _sent(sending.redact(requester, RoomId(room_id), EventId(event_id), read_json(asked), None))

    return bp


def _content(event_type: str, asked: Request) -> dict[str, Any]:
    content = read_json(asked)
    check_message(event_type, content)
    return content


def _sent(event_id: EventId) -> bytes:
    return orjson.dumps({"event_id": event_id})
