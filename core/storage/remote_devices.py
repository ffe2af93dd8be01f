"""Keys of other servers' users, kept for as long as a room is shared with them, and whether they are still right.

`generation` grows with everything that makes a list doubtful, so that an answer that was asked for before does not pass
for a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.ids import RoomNid, TextNid, UserNid
from core.storage.database import Database, Row
from core.storage.room_servers import OPEN
from core.storage.tables import BigIntegerField, BytesField, SmallIntegerField, Table
from core.storage.writer import Transaction

UNKNOWN = -1
"""The stream id of a list that came from a server's general answer, which tells none."""


class RemoteDevicesRow(Table):
    """One remote user's devices and cross-signing keys."""

    user_nid = BigIntegerField(primary_key=True)
    generation = BigIntegerField()
    stream_id = BigIntegerField()
    is_current = SmallIntegerField()
    body = BytesField()

    class Meta:
        table_name = "remote_devices"


@dataclass(frozen=True, slots=True)
class RemoteDevices:
    """What is known of a user: `devices` by id as `/keys/query` shows them, and the keys of `master`, `self_signing`."""

    generation: int
    stream_id: int
    is_current: bool
    devices: Mapping[str, Any]
    cross_signing: Mapping[str, Any]


class RemoteDeviceStore:
    """Reads and writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(RemoteDevicesRow)

    def of_users(self, user_nids: Collection[UserNid]) -> dict[UserNid, RemoteDevices]:
        """What is known of some users."""
        rows = self._database.rows_in(
            "SELECT user_nid, generation, stream_id, is_current, body FROM remote_devices WHERE user_nid IN ({})",
            user_nids,
        )
        return {row[0]: _devices(row[1:]) for row in rows}

    def sharing(self, user_nids: Collection[UserNid], server: TextNid) -> set[UserNid]:
        """Those of some users who are joined to a room that a user of `server`, which is ours, is joined to."""
        rows = self._database.rows_in(
            "SELECT DISTINCT m.user_nid FROM memberships m "
            "JOIN room_servers s ON s.room_nid = m.room_nid AND s.server_nid = ? AND s.to_index = ? "
            "WHERE m.user_nid IN ({}) AND m.membership = 1",
            user_nids,
            before=(server, OPEN),
        )
        return {row[0] for row in rows}

    def moved(self, delta_nids: Collection[int], member_type: TextNid) -> list[tuple[RoomNid, UserNid]]:
        """(room, user) whose member events took others' places in some state deltas."""
        return self._database.rows_in(
            "SELECT d.room_nid, c.state_key_nid FROM state_deltas d "
            "JOIN state_changes c ON c.line_nid = d.line_nid AND c.line_index > d.after_index "
            "AND c.line_index <= d.upto_index WHERE d.delta_nid IN ({}) AND c.type_nid = ?",
            delta_nids,
            after=(member_type,),
        )

    def known_in(self, room: RoomNid, unless_joined: TextNid) -> list[UserNid]:
        """The users of a room of whom something is known; none where `unless_joined` has several users in it."""
        rows = self._database.rows(
            "SELECT r.user_nid FROM remote_devices r JOIN memberships m ON m.user_nid = r.user_nid "
            "WHERE m.room_nid = ? AND NOT EXISTS (SELECT 1 FROM room_servers s WHERE s.room_nid = m.room_nid "
            "AND s.server_nid = ? AND s.to_index = ? AND s.joined > 1)",
            (room, unless_joined, OPEN),
        )
        return [row[0] for row in rows]

    def has_any(self) -> bool:
        """Whether anything is known of anybody."""
        return self._database.row("SELECT 1 FROM remote_devices LIMIT 1") is not None

    def all(self) -> list[UserNid]:
        """The users of whom something is known."""
        return [row[0] for row in self._database.rows("SELECT user_nid FROM remote_devices")]

    def find_in(self, transaction: Transaction, user_nid: UserNid) -> RemoteDevices | None:
        """What is known of a user, seen from inside the writer."""
        row = transaction.row(
            "SELECT generation, stream_id, is_current, body FROM remote_devices WHERE user_nid = ?", (user_nid,)
        )
        return None if row is None else _devices(row)

    def put_in(self, transaction: Transaction, user_nid: UserNid, devices: RemoteDevices) -> None:
        """Write what is known."""
        body = orjson.dumps({"devices": devices.devices, "cross_signing": devices.cross_signing})
        row = (user_nid, devices.generation, devices.stream_id, int(devices.is_current), body)
        transaction.add(self._put, row)

    def doubt_in(self, transaction: Transaction, user_nids: Collection[UserNid]) -> None:
        """These lists may be out of date: they have to be asked for again."""
        transaction.add_all(
            "UPDATE remote_devices SET generation = generation + 1, is_current = 0 WHERE user_nid = ?",
            [(user_nid,) for user_nid in user_nids],
        )


def _devices(row: Row) -> RemoteDevices:
    body = orjson.loads(row[3])
    return RemoteDevices(row[0], row[1], bool(row[2]), body["devices"], body["cross_signing"])
