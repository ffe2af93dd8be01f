"""What other servers were told last of each local user's devices, so that the next change says exactly what is new.

`stream_id` is the number of the last announcement; the body has a digest of every device and of the cross-signing keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from core.ids import UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, Table
from core.storage.writer import Transaction


class AnnouncedDevicesRow(Table):
    """One local user's."""

    user_nid = BigIntegerField(primary_key=True)
    stream_id = BigIntegerField()
    body = BytesField()

    class Meta:
        table_name = "announced_devices"


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced: a digest by device id, and one of the cross-signing keys ("" where there were none)."""

    stream_id: int = 0
    devices: dict[str, str] = field(default_factory=dict)
    cross_signing: str = ""


class AnnouncedDevicesStore:
    """The newest announcement of each user. No row stands for one that never was."""

    def __init__(self, database: Database) -> None:
        self._put = database.dialect.upsert(AnnouncedDevicesRow)

    def get_in(self, transaction: Transaction, user_nid: UserNid) -> Announced:
        """What was announced last, seen from inside the writer."""
        row = transaction.row("SELECT stream_id, body FROM announced_devices WHERE user_nid = ?", (user_nid,))
        if row is None:
            return Announced()
        body = orjson.loads(row[1])
        return Announced(row[0], body["devices"], body["cross_signing"])

    def put(self, transaction: Transaction, user_nid: UserNid, announced: Announced) -> None:
        """Write it, in the transaction that queues the announcement."""
        body = orjson.dumps({"devices": announced.devices, "cross_signing": announced.cross_signing})
        transaction.add(self._put, (user_nid, announced.stream_id, body))
