"""Dehydrated devices, under the unstable prefix of MSC3814 that clients use."""

from __future__ import annotations

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.encryption.dehydrated_devices import DehydratedDevices
from core.ids import DeviceId
from core.web.gate import Gate
from core.web.json_body import read_object
from core.web.schemas import JsonObject, JsonSchema, JsonString, QueryString, json_reply, load_object, load_query

PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


class DeviceBody(JsonSchema):
    """The device, beside its keys."""

    device_id = JsonString(required=True, min_bytes=1, max_bytes=512, allow_nul=False)
    device_data = JsonObject(required=True)
    initial_device_display_name = JsonString(load_default=None, max_bytes=1024, allow_none=True)


class PageBody(JsonSchema):
    """Where to go on."""

    next_batch = JsonString(load_default=None, allow_none=True)


class PageQuery(JsonSchema):
    """As PageBody, in the query; `from` is what the later text of the proposal calls it."""

    next_batch = QueryString(load_default=None)
    start = QueryString(load_default=None, data_key="from")


def blueprint(dehydrated: DehydratedDevices, gate: Gate) -> Blueprint:
    """The caller's dehydrated device."""
    bp = Blueprint("client_dehydrated_device", __name__)
    device_body, page_body, page_query = DeviceBody(), PageBody(), PageQuery()

    @bp.put(PATH)
    def put_device() -> ResponseReturnValue:
        """Make it."""
        requester = gate.authenticate(request)
        body = read_object(request)
        device = load_object(device_body, body)
        device_id = DeviceId(device["device_id"])
        dehydrated.put(requester, device_id, device["initial_device_display_name"], device["device_data"], body)
        return json_reply({"device_id": device_id})

    @bp.get(PATH)
    def get_device() -> ResponseReturnValue:
        """Its id and blob."""
        device_id, blob = dehydrated.get(gate.authenticate(request))
        return json_reply(b'{"device_data":%b,"device_id":%b}' % (blob, orjson.dumps(device_id)))

    @bp.delete(PATH)
    def delete_device() -> ResponseReturnValue:
        """Delete it."""
        return json_reply({"device_id": dehydrated.delete(gate.authenticate(request))})

    def page(device_id: str, after: str | None) -> ResponseReturnValue:
        requester = gate.authenticate(request)
        events, token = dehydrated.events(requester, DeviceId(device_id), after)
        return json_reply(b'{"events":[%b],"next_batch":"%b"}' % (b",".join(events), token.encode()))

    @bp.get(f"{PATH}/<device_id>/events")
    def get_events(device_id: str) -> ResponseReturnValue:
        """The messages that wait for it."""
        query = load_query(page_query, request)
        return page(device_id, query["next_batch"] or query["start"])

    @bp.post(f"{PATH}/<device_id>/events")
    def post_events(device_id: str) -> ResponseReturnValue:
        """The same, as earlier clients ask for it."""
        return page(device_id, load_object(page_body, read_object(request, may_be_empty=True))["next_batch"])

    return bp
