"""What goes into one transaction to another server, and how its bytes and its id come about.

The id follows from the contents, so that a repeated transaction is the same one, and one with other contents is not taken
for it. Spec: Server-Server API, "Transactions".
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.events.canonical_json import encode
from core.graph.stored_event import StoredEvent
from core.ids import ServerName

MAX_PDUS = 50
MAX_EDUS = 100

Edu = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parcel:
    """Contents: events from after position `since` up to `upto`, durable EDUs by number, others by key.

    The durable ones are changes of device lists, and to-device messages.
    """

    since: int
    upto: int
    events: Sequence[StoredEvent] = ()
    devices: Mapping[int, Edu] | None = None
    messages: Mapping[int, Edu] | None = None
    edus: Mapping[tuple[str, ...], Edu] | None = None
    is_catching_up: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.events or self.devices or self.messages or self.edus)

    def body(self, origin: ServerName) -> tuple[str, bytes]:
        """(the transaction's id, the transaction as canonical JSON)."""
        edus = b",".join(
            encode(edu, strict=False)
            for part in (self.devices, self.messages, self.edus)  # who reads a message knows the sender's devices
            for edu in (part or {}).values()
        )
        txn_id = f"{self.since}-{self.upto}" if self.events else f"{self.since}-{time.time_ns()}"
        if self.is_catching_up:
            txn_id = f"{txn_id}-newest"
        if self.events and edus:
            txn_id = f"{txn_id}-{zlib.crc32(edus):08x}"
        return txn_id, b'{"edus":[%b],"origin":%b,"origin_server_ts":%d,"pdus":[%b]}' % (
            edus,
            orjson.dumps(origin),
            int(time.time() * 1000),
            b",".join(one.pdu_bytes for one in self.events),
        )
