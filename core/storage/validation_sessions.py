"""Sessions in which somebody shows that an e-mail address is theirs, by a token sent there.

A session is for one purpose, is found by its id together with the client's secret, and is gone once it was used. The
token is kept as a hash, works once, and for a limited time.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.database import Database, Row
from core.storage.tables import BigIntegerField, HashField, MatrixStringField, Table
from core.storage.threepids import MAX_ADDRESS_BYTES
from core.storage.writer import Transaction


class ValidationSessionRecord(Table):
    """A session. `token_hash` is NULL once the token was used."""

    sid = MatrixStringField(64, primary_key=True)
    purpose = MatrixStringField(16)
    medium = MatrixStringField(16)
    address = MatrixStringField(MAX_ADDRESS_BYTES, index=True)
    client_secret = MatrixStringField(255)
    send_attempt = BigIntegerField()
    next_link = MatrixStringField(2048, null=True)
    token_hash = HashField(null=True)
    token_expires_ms = BigIntegerField()
    wrong_tokens = BigIntegerField(default=0)
    created_ms = BigIntegerField(index=True)
    validated_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "validation_sessions"


@dataclass(frozen=True, slots=True)
class ValidationSession:
    """A session as stored."""

    sid: str
    purpose: str
    medium: str
    address: str
    client_secret: str
    send_attempt: int
    next_link: str | None
    token_hash: bytes | None
    token_expires_ms: int
    wrong_tokens: int
    created_ms: int
    validated_ms: int | None


_COLUMNS = (
    "sid, purpose, medium, address, client_secret, send_attempt, next_link, token_hash, token_expires_ms, "
    "wrong_tokens, created_ms, validated_ms"
)


class ValidationSessionStore:
    """Reads and writes sessions. Transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(ValidationSessionRecord)

    def find(self, sid: str) -> ValidationSession | None:
        """The session of this id, or None."""
        return _session(self._database.row(f"SELECT {_COLUMNS} FROM validation_sessions WHERE sid = ?", (sid,)))

    def find_in(self, transaction: Transaction, sid: str) -> ValidationSession | None:
        """The session, seen from inside the writer."""
        return _session(transaction.row(f"SELECT {_COLUMNS} FROM validation_sessions WHERE sid = ?", (sid,)))

    def find_open(self, purpose: str, medium: str, address: str, client_secret: str) -> ValidationSession | None:
        """The newest session that a client began for an address and purpose and that is not validated yet."""
        return _session(
            self._database.row(
                f"SELECT {_COLUMNS} FROM validation_sessions WHERE address = ? AND medium = ? AND purpose = ? "
                "AND client_secret = ? AND validated_ms IS NULL ORDER BY created_ms DESC LIMIT 1",
                (address, medium, purpose, client_secret),
            )
        )

    def set(self, transaction: Transaction, session: ValidationSession) -> None:
        """Write a session as a whole."""
        row = (
            session.sid,
            session.purpose,
            session.medium,
            session.address,
            session.client_secret,
            session.send_attempt,
            session.next_link,
            session.token_hash,
            session.token_expires_ms,
            session.wrong_tokens,
            session.created_ms,
            session.validated_ms,
        )
        transaction.add(self._set, row)

    def remove(self, transaction: Transaction, sid: str) -> None:
        """Delete a session."""
        transaction.run("DELETE FROM validation_sessions WHERE sid = ?", (sid,))

    def remove_of_address(self, transaction: Transaction, medium: str, address: str, purpose: str) -> None:
        """Delete all sessions of an address and purpose."""
        transaction.run(
            "DELETE FROM validation_sessions WHERE address = ? AND medium = ? AND purpose = ?",
            (address, medium, purpose),
        )

    def drop_older(self, transaction: Transaction, before_ms: int) -> int:
        """Delete sessions begun before `before_ms`; returns how many."""
        return transaction.run("DELETE FROM validation_sessions WHERE created_ms < ?", (before_ms,))


def _session(row: Row | None) -> ValidationSession | None:
    return None if row is None else ValidationSession(*row)
