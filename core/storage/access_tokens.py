"""Access tokens and refresh tokens, as SHA-256 only: who reads the database cannot act as anybody.

A refresh token and the access token issued with it are a pair. Refreshing makes the next pair and points the old
refresh token at it; the old pair goes when the next one is first used.
Spec: Client-Server API, "Refreshing access tokens".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import DeviceId, UserId, UserNid
from core.storage.database import Database
from core.storage.devices import DeviceNid
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, HashField, SmallIntegerField, Table
from core.storage.writer import Transaction


class AccessTokenRecord(Table):
    """An access token. `refresh_nid` is the refresh token it was issued with; `is_used` matters where there is one."""

    token_nid = BigIntegerField(primary_key=True)
    token_hash = HashField(unique=True)
    user_nid = BigIntegerField(index=True)
    device_nid = BigIntegerField(null=True, index=True)
    created_ms = BigIntegerField()
    expires_ms = BigIntegerField(null=True)
    refresh_nid = BigIntegerField(null=True, index=True)
    is_used = SmallIntegerField(default=0)

    class Meta:
        table_name = "access_tokens"


class RefreshTokenRecord(Table):
    """A refresh token. `next_nid` is the one it was exchanged for, while nobody has used that or its access token."""

    refresh_nid = BigIntegerField(primary_key=True)
    token_hash = HashField(unique=True)
    user_nid = BigIntegerField(index=True)
    device_nid = BigIntegerField(index=True)
    expires_ms = BigIntegerField(null=True)
    session_expires_ms = BigIntegerField(null=True)
    next_nid = BigIntegerField(null=True, index=True)

    class Meta:
        table_name = "refresh_tokens"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token with what authentication needs of its user and device, read in one query."""

    token_nid: int
    user_nid: UserNid
    user_id: UserId
    device_nid: DeviceNid | None
    device_id: DeviceId | None
    expires_ms: int | None
    refresh_nid: int | None
    is_used: bool
    is_guest: bool
    is_admin: bool
    is_deactivated: bool
    is_locked: bool
    is_suspended: bool
    appservice_id: str | None
    consent_version: str | None


@dataclass(frozen=True, slots=True)
class EndedToken:
    """What is told of an access token that ends."""

    user_id: UserId
    device_id: DeviceId | None
    token_hash: bytes


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as stored."""

    refresh_nid: int
    user_nid: UserNid
    device_nid: DeviceNid
    expires_ms: int | None
    session_expires_ms: int | None
    next_nid: int | None


class AccessTokenStore:
    """Reads and writes both kinds of token. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(AccessTokenRecord)
        self._insert_refresh = database.dialect.insert(RefreshTokenRecord)

    def find(self, token_hash: bytes) -> AccessToken | None:
        """The token of this hash, expired or not, or None."""
        row = self._database.row(
            "SELECT t.token_nid, t.user_nid, u.user_id, t.device_nid, d.device_id, t.expires_ms, t.refresh_nid, "
            "t.is_used, u.is_guest, u.is_admin, u.is_deactivated, u.is_locked, u.is_suspended, u.appservice_id, "
            "u.consent_version "
            "FROM access_tokens t JOIN users u ON u.user_nid = t.user_nid "
            "LEFT JOIN devices d ON d.device_nid = t.device_nid WHERE t.token_hash = ?",
            (token_hash,),
        )
        if row is None:
            return None
        values = (*row[:7], *(bool(flag) for flag in row[7:13]), *row[13:])
        return AccessToken(*values)

    def find_refresh_in(self, transaction: Transaction, token_hash: bytes) -> RefreshToken | None:
        """The refresh token of this hash, expired or not, seen from inside the writer."""
        row = transaction.row(
            "SELECT refresh_nid, user_nid, device_nid, expires_ms, session_expires_ms, next_nid "
            "FROM refresh_tokens WHERE token_hash = ?",
            (token_hash,),
        )
        return None if row is None else RefreshToken(*row)

    def add(
        self,
        transaction: Transaction,
        token_nid: int,
        token_hash: bytes,
        user_nid: UserNid,
        device_nid: DeviceNid | None,
        created_ms: int,
        expires_ms: int | None,
        refresh_nid: int | None = None,
    ) -> None:
        """Insert an access token."""
        row = (token_nid, token_hash, user_nid, device_nid, created_ms, expires_ms, refresh_nid, 0)
        transaction.add(self._insert, row)

    def add_refresh(self, transaction: Transaction, token: RefreshToken, token_hash: bytes) -> None:
        """Insert a refresh token."""
        row = (
            token.refresh_nid,
            token_hash,
            token.user_nid,
            token.device_nid,
            token.expires_ms,
            token.session_expires_ms,
            token.next_nid,
        )
        transaction.add(self._insert_refresh, row)

    def point_to_next(self, transaction: Transaction, refresh_nid: int, next_nid: int) -> None:
        """Remember what a refresh token was exchanged for."""
        transaction.run("UPDATE refresh_tokens SET next_nid = ? WHERE refresh_nid = ?", (next_nid, refresh_nid))

    def mark_used(self, transaction: Transaction, token: AccessToken) -> None:
        """Note the first use of an access token that has a refresh token: what was exchanged for it is spent."""
        transaction.run("UPDATE access_tokens SET is_used = 1 WHERE token_nid = ?", (token.token_nid,))
        if token.refresh_nid is not None:
            self.drop_predecessors(transaction, token.refresh_nid)

    def drop_predecessors(self, transaction: Transaction, refresh_nid: int) -> None:
        """Delete the pair that was exchanged for this refresh token."""
        rows = transaction.rows("SELECT refresh_nid FROM refresh_tokens WHERE next_nid = ?", (refresh_nid,))
        for (previous,) in rows:  # one, as a refresh token is exchanged for one at a time
            self.drop_pair(transaction, previous)

    def drop_pair(self, transaction: Transaction, refresh_nid: int) -> None:
        """Delete a refresh token and the access tokens issued with it."""
        transaction.run("DELETE FROM access_tokens WHERE refresh_nid = ?", (refresh_nid,))
        transaction.run("DELETE FROM refresh_tokens WHERE refresh_nid = ?", (refresh_nid,))

    def drop_of_devices(self, transaction: Transaction, device_nids: Collection[DeviceNid]) -> None:
        """Delete all tokens of some devices."""
        nids = list(device_nids)
        if nids:
            transaction.run(f"DELETE FROM access_tokens WHERE device_nid IN ({marks(len(nids))})", nids)
            transaction.run(f"DELETE FROM refresh_tokens WHERE device_nid IN ({marks(len(nids))})", nids)

    def of_user(self, user_nid: UserNid) -> list[EndedToken]:
        """Every access token of a user, for those who are told when it ends."""
        rows = self._database.rows(
            "SELECT u.user_id, d.device_id, t.token_hash FROM access_tokens t JOIN users u ON u.user_nid = t.user_nid "
            "LEFT JOIN devices d ON d.device_nid = t.device_nid WHERE t.user_nid = ?",
            (user_nid,),
        )
        return [EndedToken(*row) for row in rows]

    def drop(self, transaction: Transaction, token_nid: int) -> None:
        """Delete one access token that belongs to no device."""
        transaction.run("DELETE FROM access_tokens WHERE token_nid = ?", (token_nid,))

    def drop_without_device(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Delete the access tokens of a user that belong to no device."""
        transaction.run("DELETE FROM access_tokens WHERE user_nid = ? AND device_nid IS NULL", (user_nid,))

    def drop_of_user(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Delete all tokens of a user."""
        transaction.run("DELETE FROM access_tokens WHERE user_nid = ?", (user_nid,))
        transaction.run("DELETE FROM refresh_tokens WHERE user_nid = ?", (user_nid,))
