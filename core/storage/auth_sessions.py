"""Sessions of user-interactive authentication: what a client has completed on the way to one operation.

They are rows, so that a restart or another process in between does not make the client begin again; they expire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.storage.database import Database
from core.storage.tables import BigIntegerField, BytesField, HashField, MatrixStringField, Table
from core.storage.writer import Transaction


class AuthSessionRecord(Table):
    """A session. `operation` is a keyed hash of what it authorizes; `progress` a JSON object."""

    session_id = MatrixStringField(64, primary_key=True)
    operation = HashField()
    used_ms = BigIntegerField(index=True)
    progress = BytesField()

    class Meta:
        table_name = "auth_sessions"


@dataclass(frozen=True, slots=True)
class AuthSession:
    """A session: completed stages in order, each with what it asked to remember; `notes` are the operation's own."""

    session_id: str
    operation: bytes
    used_ms: int
    completed: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


class AuthSessionStore:
    """Reads and writes sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(AuthSessionRecord)

    def find(self, session_id: str, since_ms: int) -> AuthSession | None:
        """The session, unless it was last used before `since_ms`."""
        row = self._database.row(
            "SELECT session_id, operation, used_ms, progress FROM auth_sessions WHERE session_id = ? AND used_ms >= ?",
            (session_id, since_ms),
        )
        if row is None:
            return None
        progress = orjson.loads(row[3])
        return AuthSession(row[0], row[1], row[2], progress["completed"], progress["notes"])

    def set(self, transaction: Transaction, session: AuthSession) -> None:
        """Write a session as a whole."""
        progress = orjson.dumps({"completed": dict(session.completed), "notes": dict(session.notes)})
        transaction.add(self._set, (session.session_id, session.operation, session.used_ms, progress))

    def remove(self, transaction: Transaction, session_id: str) -> None:
        """Delete a session."""
        transaction.run("DELETE FROM auth_sessions WHERE session_id = ?", (session_id,))

    def drop_older(self, transaction: Transaction, before_ms: int) -> int:
        """Delete sessions last used before `before_ms`; returns how many."""
        return transaction.run("DELETE FROM auth_sessions WHERE used_ms < ?", (before_ms,))
