"""Login tokens: short-lived words that sign one more client in, once. Kept as hashes.

Spec: Client-Server API, "Token-based" login.
"""

from __future__ import annotations

from core.ids import UserId, UserNid
from core.storage.database import Database
from core.storage.tables import BigIntegerField, HashField, Table
from core.storage.writer import Transaction


class LoginTokenRecord(Table):
    """A token."""

    token_hash = HashField(primary_key=True)
    user_nid = BigIntegerField(index=True)
    expires_ms = BigIntegerField(index=True)

    class Meta:
        table_name = "login_tokens"


class LoginTokenStore:
    """Reads and writes login tokens. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._insert = database.dialect.insert(LoginTokenRecord)

    def add(self, transaction: Transaction, token_hash: bytes, user_nid: UserNid, expires_ms: int) -> None:
        """Insert a token."""
        transaction.add(self._insert, (token_hash, user_nid, expires_ms))

    def spend(self, transaction: Transaction, token_hash: bytes, now_ms: int) -> UserId | None:
        """Whose token it is, and delete it; None where it expired, was spent or never was."""
        row = transaction.row(
            "SELECT u.user_id, t.expires_ms FROM login_tokens t JOIN users u ON u.user_nid = t.user_nid "
            "WHERE t.token_hash = ?",
            (token_hash,),
        )
        if row is None or transaction.run("DELETE FROM login_tokens WHERE token_hash = ?", (token_hash,)) == 0:
            return None
        return UserId(row[0]) if row[1] > now_ms else None

    def remove_of_user(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Delete a user's tokens."""
        transaction.run("DELETE FROM login_tokens WHERE user_nid = ?", (user_nid,))

    def drop_expired(self, transaction: Transaction, now_ms: int) -> int:
        """Delete tokens that expired; returns how many."""
        return transaction.run("DELETE FROM login_tokens WHERE expires_ms <= ?", (now_ms,))
