"""Until when each account is valid, and what was mailed about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.hooks import Migration, PluginApi, TableSet, Transaction, UserId

_COLUMNS = (
    "user_id VARBINARY(255) NOT NULL PRIMARY KEY, expires_ms BIGINT NOT NULL, wants_mail SMALLINT NOT NULL, "
    "was_mailed SMALLINT NOT NULL, token VARBINARY(64)"
)
_INDEXES = {"account_validity_expires": "expires_ms", "account_validity_token": "token"}
_CREATE = f"CREATE TABLE IF NOT EXISTS account_validity_accounts ({_COLUMNS}"
TABLES = TableSet(
    "account_validity",
    [
        Migration(
            1,
            sqlite=[
                f"{_CREATE})",
                *(
                    f"CREATE INDEX IF NOT EXISTS {name} ON account_validity_accounts ({column})"
                    for name, column in _INDEXES.items()
                ),
            ],
            mysql=[_CREATE + "".join(f", KEY {name} ({column})" for name, column in _INDEXES.items()) + ")"],
        )
    ],
)
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Validity:
    """One account. `token` renews it, once."""

    user_id: UserId
    expires_ms: int
    wants_mail: bool = True
    was_mailed: bool = False
    token: str | None = None


class ValidityTables:
    """Reads and writes the plugin's table."""

    def __init__(self, api: PluginApi) -> None:
        self._api = api

    def expires_ms(self, user_id: UserId) -> int | None:
        """When an account expires, None where nothing is written of it."""
        sql = "SELECT expires_ms FROM account_validity_accounts WHERE user_id = ?"
        rows = self._api.tables.read(sql, (user_id,))
        return int(rows[0][0]) if rows else None

    def by_token(self, token: str) -> UserId | None:
        """Whose account a token renews."""
        rows = self._api.tables.read("SELECT user_id FROM account_validity_accounts WHERE token = ?", (token,))
        return UserId(_text(rows[0][0])) if rows else None

    def to_be_mailed(self, before_ms: int) -> list[Validity]:
        """Accounts that expire before a time and whose users have not been told, those that expire first."""
        rows = self._api.tables.read(
            "SELECT user_id, expires_ms FROM account_validity_accounts WHERE expires_ms <= ? AND wants_mail = 1 "
            f"AND was_mailed = 0 ORDER BY expires_ms LIMIT {MOST_AT_ONCE}",
            (before_ms,),
        )
        return [Validity(UserId(_text(user)), int(expires_ms)) for user, expires_ms in rows]

    def put(self, validity: Validity, only_new: bool = False) -> None:
        """Write what holds for an account from now on; with `only_new` nothing where something is written already."""
        user, flags = validity.user_id, (int(validity.wants_mail), int(validity.was_mailed))

        def write(transaction: Transaction) -> None:
            known = transaction.rows("SELECT 1 FROM account_validity_accounts WHERE user_id = ?", (user,))
            if known and only_new:
                return
            transaction.run("DELETE FROM account_validity_accounts WHERE user_id = ?", (user,))
            transaction.run(
                "INSERT INTO account_validity_accounts (user_id, expires_ms, wants_mail, was_mailed, token) "
                "VALUES (?, ?, ?, ?, ?)",
                (user, validity.expires_ms, *flags, validity.token),
            )

        self._api.tables.transaction(write)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes | bytearray) else str(value)
