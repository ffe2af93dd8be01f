"""OpenID tokens: by them somebody shows another service who they are here, and nothing else. Kept as hashes.

Spec: Client-Server API, "OpenID".
"""

from __future__ import annotations

from core.ids import UserId, UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, HashField, Table
from core.storage.writer import Transaction


class OpenidTokenRecord(Table):
    """A token."""

    token_hash = HashField(primary_key=True)
    user_nid = BigIntegerField(index=True)
    expires_ms = BigIntegerField(index=True)

    class Meta:
        table_name = "openid_tokens"


class OpenidTokenStore:
    """Reads and writes OpenID tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(OpenidTokenRecord)

    def add(self, transaction: Transaction, token_hash: bytes, user_nid: UserNid, expires_ms: int) -> None:
        """Insert a token."""
        transaction.add(self._insert, (token_hash, user_nid, expires_ms))

    def owner_of(self, token_hash: bytes, now_ms: int) -> UserId | None:
        """Whose token it is, unless it expired or its account ended."""
        owner: UserId | None = self._database.value(
            "SELECT u.user_id FROM openid_tokens t JOIN users u ON u.user_nid = t.user_nid "
            "WHERE t.token_hash = ? AND t.expires_ms > ? AND u.is_deactivated = 0 AND u.is_locked = 0",
            (token_hash, now_ms),
        )
        return owner

    def remove_of_user(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Delete a user's tokens."""
        transaction.run("DELETE FROM openid_tokens WHERE user_nid = ?", (user_nid,))

    def drop_expired(self, transaction: Transaction, now_ms: int) -> int:
        """Delete tokens that expired; returns how many."""
        return transaction.run("DELETE FROM openid_tokens WHERE expires_ms <= ?", (now_ms,))
