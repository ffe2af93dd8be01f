"""How large events may be. Each limit has its name here, and the checks of formats and senders share them.

Spec: Client-Server API, "Size limits"; Server-Server API, "PDUs"; room version 6, "Event format".
"""

from __future__ import annotations

from core.errors import EventRefused

MAX_EVENT_BYTES = 65_536
"""Of the whole PDU as canonical JSON, signatures included."""

MAX_FIELD_BYTES = 255
"""Of `type`, `state_key`, `sender`, `room_id` and `event_id`, in UTF-8."""

MAX_PREV_EVENTS = 20
MAX_AUTH_EVENTS = 10

MAX_DEPTH = 2**63 - 1
"""Largest `depth` until room version 5."""

MAX_STRICT_DEPTH = 2**53 - 1
"""Largest `depth` from room version 6."""

MAX_TIMESTAMP = 2**63 - 1
"""Largest `origin_server_ts`, a 64-bit number of milliseconds; from room version 6 canonical JSON is narrower."""

MAX_THIRD_PARTY_CHECKS = 200
"""Signature checks one third-party invite may cost (about 10 ms). Real ones have one signature and one or two keys."""


def check_field(name: str, value: str) -> None:
    """Raise EventRefused where `value` is longer than `MAX_FIELD_BYTES`."""
    if len(value) > MAX_FIELD_BYTES or (not value.isascii() and len(value.encode()) > MAX_FIELD_BYTES):
        raise EventRefused(f"`{name}` is longer than {MAX_FIELD_BYTES} bytes.", errcode="M_TOO_LARGE")


def check_size(encoded: bytes) -> None:
    """Raise EventRefused where the canonical bytes of a PDU are more than `MAX_EVENT_BYTES`."""
    if len(encoded) > MAX_EVENT_BYTES:
        raise EventRefused(
            f"The event has {len(encoded)} bytes; at most {MAX_EVENT_BYTES} are allowed.", errcode="M_TOO_LARGE"
        )
