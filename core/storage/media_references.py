"""What refers to media: events, profiles, account data. Derived from the log; who refers to nothing has no rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum

from peewee import CompositeKey

from core.storage.database import Database
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.transaction import Transaction


class Referrer(IntEnum):
    """What `owner` numbers."""

    EVENT = 1
    PROFILE = 2
    STATE = 3  # a state event: avatars of rooms and members, sticker packs
    ACCOUNT_DATA = 4  # a user's own: sticker packs, pictures of theirs


LASTING = frozenset({Referrer.PROFILE, Referrer.STATE, Referrer.ACCOUNT_DATA})
"""What is shown for as long as it stands, unlike messages, which scroll away."""


class MediaReferenceRow(Table):
    """One reference to an `mxc://` URI; `room_nid` is 0 for profiles and account data."""

    kind = SmallIntegerField()
    owner_nid = BigIntegerField()
    origin = MatrixStringField(255)
    media_id = MatrixStringField(255)
    room_nid = BigIntegerField(index=True)

    class Meta:
        table_name = "media_references"
        primary_key = CompositeKey("kind", "owner_nid", "origin", "media_id")
        indexes = ((("origin", "media_id"), False),)
        without_rowid = True


class MediaReferenceStore:
    """The references. Writes go in the caller's job."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert_new(MediaReferenceRow)

    def replace(
        self,
        transaction: Transaction,
        kind: Referrer,
        found: Mapping[int, tuple[int, Collection[tuple[str, str]]]],
        is_new: bool = False,
    ) -> None:
        """Write all that each owner refers to: owner -> (room, media). `is_new` owners have no rows to be replaced."""
        if not is_new:
            for owner in found:
                sql = "DELETE FROM media_references WHERE kind = ? AND owner_nid = ?"
                transaction.run(sql, (int(kind), owner))
        rows = [
            (int(kind), owner, origin, media_id, room)
            for owner, (room, media) in found.items()
            for origin, media_id in sorted(media)
        ]
        transaction.add_all(self._insert, rows)

    def has_any(self, kind: Referrer, owners: Collection[int]) -> bool:
        """Whether anything is on record of what these refer to."""
        sql = "SELECT 1 FROM media_references WHERE owner_nid IN ({}) AND kind = ? LIMIT 1"
        return bool(self._database.rows_in(sql, owners, after=(int(kind),)))

    def referrers(self, origin: str, media_id: str, source: Transaction | None = None) -> set[Referrer]:
        """What kinds of things refer to the media."""
        sql = "SELECT DISTINCT kind FROM media_references WHERE origin = ? AND media_id = ?"
        return {Referrer(kind) for (kind,) in (source or self._database).rows(sql, (origin, media_id))}

    def of_room(self, room_nid: int) -> list[tuple[str, str]]:
        """(server, media id) of all that the room's events refer to."""
        sql = "SELECT DISTINCT origin, media_id FROM media_references WHERE room_nid = ? ORDER BY origin, media_id"
        return [(row[0], row[1]) for row in self._database.rows(sql, (room_nid,))]
