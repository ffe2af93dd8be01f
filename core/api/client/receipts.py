"""Receipts. Spec: Client-Server API, "Receipts"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Request

from core.errors import InvalidParam
from core.ids import EventId, RoomId, is_event_id
from core.rooms.read_markers import FULLY_READ, ReadMarkers
from core.rooms.receipts import Receipts
from core.storage.receipts import MAIN, UNTHREADED, ReceiptType
from core.sync.activity import Activity
from core.web.direct import direct
from core.web.gate import Gate
from core.web.json_body import read_object

TYPES = {"m.read": ReceiptType.PUBLIC, "m.read.private": ReceiptType.PRIVATE}


def blueprint(receipts: Receipts, markers: ReadMarkers, activity: Activity, gate: Gate) -> Blueprint:
    """Sending receipts; the fully-read marker goes the same way."""
    bp = Blueprint("client_receipts", __name__)

    @bp.post("/_matrix/client/v3/rooms/<room_id>/receipt/<receipt_type>/<event_id>")
    @direct
    def post_receipt(asked: Request, room_id: str, receipt_type: str, event_id: str) -> bytes:
        """Say up to where the caller has read."""
        requester = gate.authenticate(asked)
        activity.acted(requester)
        body = read_object(asked, may_be_empty=True)
        if receipt_type == FULLY_READ:
            if "thread_id" in body:
                raise InvalidParam(f"'thread_id' cannot be given with {FULLY_READ}, which has no threads.")
            markers.move(requester, RoomId(room_id), EventId(event_id))
        elif receipt_type in TYPES:
            thread = _thread(body)
            receipts.send(requester, RoomId(room_id), TYPES[receipt_type], EventId(event_id), thread)
        else:
            allowed = ", ".join((*TYPES, FULLY_READ))
            raise InvalidParam(f"The receipt type is {receipt_type[:100]!r}; it must be one of {allowed}.")
        return b"{}"

    return bp


def _thread(body: dict[str, Any]) -> str:
    """The thread that a body names. Raises InvalidParam for what cannot be one."""
    if "thread_id" not in body:
        return UNTHREADED
    thread = body["thread_id"]
    if not isinstance(thread, str) or (thread != MAIN and not is_event_id(thread)):
        raise InvalidParam("'thread_id' must be \"main\" or the event id of a thread's root.")
    return thread
