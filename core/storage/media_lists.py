"""Media in lists: by user, by age, and counted. For administrators, retention and the cache of remote media."""

from __future__ import annotations

from dataclasses import dataclass

from core.ids import ServerName, UserNid
from core.storage.database import Database
from core.storage.media import COLUMNS, StoredMedia, stored_media


@dataclass(frozen=True, slots=True)
class UserUsage:
    """How much one user has uploaded."""

    user_nid: UserNid
    files: int
    total_bytes: int


_ORDERS = {
    "media_id": "media_id",
    "created_ts": "created_ms",
    "last_access_ts": "seen_ms",
    "media_length": "size_bytes",
    "media_type": "content_type",
    "upload_name": "name",
    "quarantined_by": "quarantined_by",
    "safe_from_quarantine": "is_protected",
}
"""What lists may be ordered by, as the administration API calls it."""


class MediaLists:
    """Reads lists of media."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_user(
        self, user: UserNid, start: int = 0, limit: int = 100, order_by: str = "created_ts", is_backward: bool = False
    ) -> list[StoredMedia]:
        """A page of a user's uploads; `order_by` is a name of the administration API."""
        direction = "DESC" if is_backward else "ASC"
        sql = (
            f"SELECT {COLUMNS} FROM media WHERE user_nid = ? AND file_id IS NOT NULL"
            f" ORDER BY {_ORDERS[order_by]} {direction}, media_nid {direction} LIMIT ? OFFSET ?"
        )
        return [stored_media(row) for row in self._database.rows(sql, (user, limit, start))]

    def count_of_user(self, user: UserNid) -> int:
        """How many files a user has uploaded."""
        sql = "SELECT COUNT(*) FROM media WHERE user_nid = ? AND file_id IS NOT NULL"
        return int(self._database.value(sql, (user,)))

    def older_than(
        self, before_ms: int, *, local: str | None, remote_to: str | None, above_bytes: int = 0, limit: int = 200,
        after: int = 0,
    ) -> list[StoredMedia]:  # fmt: skip
        """Media last asked for before then, past number `after`; quarantined, protected and passing media apart.

        `local` is the server's own name for its media, `remote_to` the same for all but its own.
        """
        side = "origin = ?" if local is not None else "origin <> ?"
        sql = (
            f"SELECT {COLUMNS} FROM media WHERE {side} AND media_nid > ? AND file_id IS NOT NULL AND seen_ms < ?"
            " AND size_bytes >= ? AND quarantined_by IS NULL AND is_protected = 0 AND expires_ms IS NULL"
            " ORDER BY media_nid LIMIT ?"
        )
        name = local if local is not None else remote_to
        return [stored_media(row) for row in self._database.rows(sql, (name, after, before_ms, above_bytes, limit))]

    def expired(self, now_ms: int, after: int = 0, limit: int = 200) -> list[StoredMedia]:
        """Passing media and reserved ids whose time is over, past number `after`."""
        sql = (
            f"SELECT {COLUMNS} FROM media WHERE expires_ms <= ? AND media_nid > ? AND quarantined_by IS NULL"
            " AND is_protected = 0 ORDER BY media_nid LIMIT ?"
        )
        return [stored_media(row) for row in self._database.rows(sql, (now_ms, after, limit))]

    def usage_of_users(self, from_ms: int = 0, until_ms: int = 2**53) -> list[UserUsage]:
        """How much each user has uploaded within that time, most bytes first."""
        sql = (
            "SELECT user_nid, COUNT(*), SUM(size_bytes) FROM media WHERE file_id IS NOT NULL AND user_nid IS NOT NULL"
            " AND created_ms >= ? AND created_ms <= ? GROUP BY user_nid ORDER BY SUM(size_bytes) DESC"
        )
        return [UserUsage(row[0], int(row[1]), int(row[2])) for row in self._database.rows(sql, (from_ms, until_ms))]

    def usage_of_remote(self) -> tuple[int, int]:
        """(files, bytes) of other servers' media."""
        sql = (
            "SELECT COUNT(*), SUM(size_bytes) FROM media WHERE file_id IS NOT NULL AND user_nid IS NULL"
            " AND expires_ms IS NULL"
        )
        row = self._database.rows(sql)[0]
        return int(row[0]), int(row[1] or 0)

    def remote_not_seen_for_longest(self, own: ServerName, limit: int = 50) -> list[StoredMedia]:
        """Other servers' media, that last asked for first; quarantined and protected apart."""
        sql = (
            f"SELECT {COLUMNS} FROM media WHERE origin <> ? AND file_id IS NOT NULL AND quarantined_by IS NULL"
            " AND is_protected = 0 ORDER BY seen_ms LIMIT ?"
        )
        return [stored_media(row) for row in self._database.rows(sql, (own, limit))]


def is_order(name: str) -> bool:
    """Whether lists of media can be ordered by `name`."""
    return name in _ORDERS
