"""Registration tokens: words that an administrator hands out and that let their holder make an account.

Spec: Client-Server API, "Token-authenticated registration".
"""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.database import Database
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction


class RegistrationTokenRecord(Table):
    """A token. `uses_allowed` NULL means any number, `expires_ms` NULL never."""

    token = MatrixStringField(64, primary_key=True)
    uses_allowed = BigIntegerField(null=True)
    completed = BigIntegerField(default=0)
    expires_ms = BigIntegerField(null=True)
    created_ms = BigIntegerField()

    class Meta:
        table_name = "registration_tokens"


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """A token and how often it was used."""

    token: str
    uses_allowed: int | None
    completed: int
    expires_ms: int | None
    created_ms: int

    def is_valid(self, now_ms: int) -> bool:
        """Whether one more account may be made with it."""
        is_spent = self.uses_allowed is not None and self.completed >= self.uses_allowed
        return not is_spent and (self.expires_ms is None or self.expires_ms > now_ms)


class RegistrationTokenStore:
    """Reads and writes registration tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(RegistrationTokenRecord)

    def find(self, token: str) -> RegistrationToken | None:
        """The token, valid or not, or None."""
        row = self._database.row(
            "SELECT token, uses_allowed, completed, expires_ms, created_ms FROM registration_tokens WHERE token = ?",
            (token,),
        )
        return None if row is None else RegistrationToken(*row)

    def listed(self) -> list[RegistrationToken]:
        """All tokens, oldest first."""
        rows = self._database.rows(
            "SELECT token, uses_allowed, completed, expires_ms, created_ms FROM registration_tokens ORDER BY created_ms"
        )
        return [RegistrationToken(*row) for row in rows]

    def set(self, transaction: Transaction, token: RegistrationToken) -> None:
        """Make a token, or change one."""
        row = (token.token, token.uses_allowed, token.completed, token.expires_ms, token.created_ms)
        transaction.add(self._set, row)

    def spend(self, transaction: Transaction, token: str, now_ms: int) -> bool:
        """Count one use; False, and nothing written, where the token is not valid any more."""
        row = transaction.row(
            "SELECT token, uses_allowed, completed, expires_ms, created_ms FROM registration_tokens WHERE token = ?",
            (token,),
        )
        if row is None or not RegistrationToken(*row).is_valid(now_ms):
            return False
        transaction.run("UPDATE registration_tokens SET completed = completed + 1 WHERE token = ?", (token,))
        return True

    def delete(self, transaction: Transaction, token: str) -> bool:
        """Remove a token; False where there is none."""
        return transaction.run("DELETE FROM registration_tokens WHERE token = ?", (token,)) > 0
