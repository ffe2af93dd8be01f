"""What a local user wants to say, before it has a place in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.ids import EventId, UserId, UserNid
from core.storage.transaction_ids import request_hash


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be: everything a caller decides. Append adds prev events, auth events, depth, hashes and signatures.

    `origin_server_ts` is now where it is not given. `content` becomes the event's; do not change it afterwards.
    """

    type: str
    sender: UserId
    content: Mapping[str, Any]
    state_key: str | None = None
    redacts: EventId | None = None
    origin_server_ts: int | None = None


@dataclass(frozen=True, slots=True)
class TransactionId:
    """One request of a client, as the specification tells requests apart.

    `scope` is the device id, or something that names the access token where there is no device; `path` is the request's
    path without the transaction id, or any string that stands for it.
    Spec: Client-Server API, "Transaction identifiers".
    """

    user_nid: UserNid
    scope: str
    txn_id: str
    path: str = ""

    def request(self) -> bytes:
        """The key under which the request is remembered."""
        return request_hash(self.user_nid, self.scope, self.path, self.txn_id)
