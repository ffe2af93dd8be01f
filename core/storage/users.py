"""The accounts of this server: one row a user, password hash and standing included.

A password hash is read from the row at each check and never cached, so that one put there with SQL counts at once.
Remote users have no row; their ids are merely interned.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.ids import UserId, UserNid
from core.storage.database import Database, Row
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction


class UserRecord(Table):
    """An account. Flags are 0 or 1."""

    user_nid = BigIntegerField(primary_key=True)
    user_id = MatrixStringField(255, unique=True)
    password_hash = MatrixStringField(255, null=True)
    created_ms = BigIntegerField(index=True)
    is_admin = SmallIntegerField(default=0)
    is_guest = SmallIntegerField(default=0)
    is_deactivated = SmallIntegerField(default=0)
    is_erased = SmallIntegerField(default=0)
    is_locked = SmallIntegerField(default=0)
    is_suspended = SmallIntegerField(default=0)
    is_shadow_banned = SmallIntegerField(default=0)
    user_type = MatrixStringField(64, null=True)
    appservice_id = MatrixStringField(255, null=True)
    consent_version = MatrixStringField(255, null=True)
    consent_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "users"


FLAGS = ("is_admin", "is_guest", "is_deactivated", "is_erased", "is_locked", "is_suspended", "is_shadow_banned")
"""The columns that `UserStore.set_flag` may change."""


@dataclass(frozen=True, slots=True)
class User:
    """An account as the rest of the server sees it; the password hash is not part of it."""

    user_nid: UserNid
    user_id: UserId
    created_ms: int
    is_admin: bool = False
    is_guest: bool = False
    is_deactivated: bool = False
    is_erased: bool = False
    is_locked: bool = False
    is_suspended: bool = False
    is_shadow_banned: bool = False
    user_type: str | None = None
    appservice_id: str | None = None
    consent_version: str | None = None
    consent_ms: int | None = None


_COLUMNS = (
    "user_nid, user_id, created_ms, is_admin, is_guest, is_deactivated, is_erased, is_locked, is_suspended, "
    "is_shadow_banned, user_type, appservice_id, consent_version, consent_ms"
)


class UserStore:
    """Reads and writes accounts. Each change of one is told as a USER_STATUS line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.dialect.insert(UserRecord)

    def find(self, user_id: str) -> User | None:
        """The account of this id, deactivated ones included, or None."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM users WHERE user_id = ?", (user_id,))
        return None if row is None else _user(row)

    def find_by_nid(self, user_nid: int) -> User | None:
        """The account of this number, or None."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM users WHERE user_nid = ?", (user_nid,))
        return None if row is None else _user(row)

    def find_many(self, user_nids: Collection[int]) -> dict[UserNid, User]:
        """Those of the numbers that are accounts here."""
        rows = self._database.rows_in(f"SELECT {_COLUMNS} FROM users WHERE user_nid IN ({{}})", user_nids)
        return {row[0]: _user(row) for row in rows}

    def find_with_password(self, user_id: str) -> tuple[User, str | None] | None:
        """The account and its password hash, fresh from the database."""
        row = self._database.row(f"SELECT {_COLUMNS}, password_hash FROM users WHERE user_id = ?", (user_id,))
        return None if row is None else (_user(row[:-1]), row[-1])

    def listed(self, after: str = "", limit: int = 100, guests: bool = False) -> list[User]:
        """Accounts in the order of their ids, from past `after` on."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM users WHERE user_id > ? AND is_guest <= ? ORDER BY user_id LIMIT ?",
            (after, int(guests), limit),
        )
        return [_user(row) for row in rows]

    def count(self) -> int:
        """How many accounts there are, guests and deactivated ones apart."""
        return int(self._database.value("SELECT COUNT(*) FROM users WHERE is_guest = 0 AND is_deactivated = 0"))

    def exists_in(self, transaction: Transaction, user_id: UserId) -> bool:
        """Whether the account exists, seen from inside the writer: what decides who gets a name."""
        return transaction.row("SELECT 1 FROM users WHERE user_id = ?", (user_id,)) is not None

    def add(self, transaction: Transaction, user: User, password_hash: str | None) -> None:
        """Insert an account; the caller has made sure, in the same transaction, that there is none of its name."""
        flags = [int(getattr(user, flag)) for flag in FLAGS]
        tail = (user.user_type, user.appservice_id, user.consent_version, user.consent_ms)
        row = (user.user_nid, user.user_id, password_hash, user.created_ms, *flags, *tail)
        transaction.add(self._insert, row)
        self._tell(transaction, user.user_nid)

    def set_password_hash(self, transaction: Transaction, user_nid: UserNid, password_hash: str | None) -> None:
        """Replace the hash; None means that no password is right."""
        transaction.run("UPDATE users SET password_hash = ? WHERE user_nid = ?", (password_hash, user_nid))

    def set_flag(self, transaction: Transaction, user_nid: UserNid, flag: str, value: bool) -> None:
        """Change one of FLAGS."""
        if flag not in FLAGS:
            raise ValueError(f"{flag} is no flag of an account; there are {', '.join(FLAGS)}")
        transaction.run(f"UPDATE users SET {flag} = ? WHERE user_nid = ?", (int(value), user_nid))
        self._tell(transaction, user_nid)

    def set_consent(self, transaction: Transaction, user_nid: UserNid, version: str, now_ms: int) -> None:
        """Note which version of the terms a user has accepted, and when."""
        transaction.run(
            "UPDATE users SET consent_version = ?, consent_ms = ? WHERE user_nid = ?", (version, now_ms, user_nid)
        )
        self._tell(transaction, user_nid)

    def erased(self) -> list[UserNid]:
        """Everybody who asked for erasure; few."""
        return [row[0] for row in self._database.rows("SELECT user_nid FROM users WHERE is_erased = 1")]

    def _tell(self, transaction: Transaction, user_nid: UserNid) -> None:
        transaction.log(Kind.USER_STATUS, user_nid, user_nid, replaces=True)


def _user(row: Row) -> User:
    values = (*row[:3], *(bool(flag) for flag in row[3:10]), *row[10:])
    return User(*values)
