"""Third-party identifiers: the e-mail addresses and phone numbers of accounts, and where they were published.

An address belongs to one account at most. It is kept in canonical form, which is the caller's business.
Spec: Client-Server API, "Adding Account Administrative Contact Information".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import UserId, UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction

MAX_ADDRESS_BYTES = 255

AddressListener = Callable[[Transaction, UserNid, str], None]


class ThreepidRecord(Table):
    """An address of an account."""

    medium = MatrixStringField(16)
    address = MatrixStringField(MAX_ADDRESS_BYTES)
    user_nid = BigIntegerField(index=True)
    validated_ms = BigIntegerField()
    added_ms = BigIntegerField()

    class Meta:
        table_name = "threepids"
        primary_key = CompositeKey("medium", "address")
        without_rowid = True


class ThreepidBindRecord(Table):
    """An address that was published, through this server, at an identity server."""

    user_nid = BigIntegerField()
    medium = MatrixStringField(16)
    address = MatrixStringField(MAX_ADDRESS_BYTES)
    id_server = MatrixStringField(255)

    class Meta:
        table_name = "threepid_binds"
        primary_key = CompositeKey("user_nid", "medium", "address", "id_server")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Threepid:
    """An address that was shown to be somebody's."""

    medium: str
    address: str
    validated_ms: int
    added_ms: int


@dataclass(frozen=True, slots=True)
class Bind:
    """Where an address is published."""

    medium: str
    address: str
    id_server: str


class ThreepidStore:
    """Reads and writes addresses. Transactions are the caller's; a change is told as a USER_STATUS line.

    `left` hears of each e-mail address that an account loses, within the transaction.
    """

    def __init__(self, database: Database, left: AddressListener | None = None) -> None:
        self._database = database
        self._left = left
        self._insert = database.dialect.insert(ThreepidRecord)
        self._insert_bind = database.dialect.insert(ThreepidBindRecord)

    def owner_of(self, medium: str, address: str) -> UserId | None:
        """Whose address it is; None where it is nobody's here."""
        owner: UserId | None = self._database.value(
            "SELECT u.user_id FROM threepids t JOIN users u ON u.user_nid = t.user_nid "
            "WHERE t.medium = ? AND t.address = ?",
            (medium, address),
        )
        return owner

    def of_user(self, user_nid: UserNid) -> list[Threepid]:
        """The addresses of an account, oldest first."""
        rows = self._database.rows(
            "SELECT medium, address, validated_ms, added_ms FROM threepids WHERE user_nid = ? "
            "ORDER BY added_ms, medium, address",
            (user_nid,),
        )
        return [Threepid(*row) for row in rows]

    def owner_nid_in(self, transaction: Transaction, medium: str, address: str) -> UserNid | None:
        """Whose address it is, seen from inside the writer."""
        owner: UserNid | None = transaction.value(
            "SELECT user_nid FROM threepids WHERE medium = ? AND address = ?", (medium, address)
        )
        return owner

    def add(self, transaction: Transaction, user_nid: UserNid, threepid: Threepid) -> None:
        """Add an address that is nobody's; the caller has looked, in the same transaction."""
        row = (threepid.medium, threepid.address, user_nid, threepid.validated_ms, threepid.added_ms)
        transaction.add(self._insert, row)
        transaction.log(Kind.USER_STATUS, user_nid, user_nid, replaces=True)

    def remove(self, transaction: Transaction, user_nid: UserNid, medium: str, address: str) -> bool:
        """Take an address from its account; False where it was not the account's."""
        done = transaction.run(
            "DELETE FROM threepids WHERE user_nid = ? AND medium = ? AND address = ?", (user_nid, medium, address)
        )
        if self._left is not None and medium == "email":
            self._left(transaction, user_nid, address)
        transaction.log(Kind.USER_STATUS, user_nid, user_nid, replaces=True)
        return done > 0

    def remove_all(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Take all addresses from an account, and forget where they are published."""
        for (address,) in transaction.rows(
            "SELECT address FROM threepids WHERE user_nid = ? AND medium = 'email'", (user_nid,)
        ):
            if self._left is not None:
                self._left(transaction, user_nid, address)
        transaction.run("DELETE FROM threepids WHERE user_nid = ?", (user_nid,))
        transaction.run("DELETE FROM threepid_binds WHERE user_nid = ?", (user_nid,))

    def binds_of(self, user_nid: UserNid, medium: str | None = None, address: str | None = None) -> list[Bind]:
        """Where a user's addresses, or one of them, are published."""
        sql = "SELECT medium, address, id_server FROM threepid_binds WHERE user_nid = ?"
        if medium is None:
            return [Bind(*row) for row in self._database.rows(sql, (user_nid,))]
        rows = self._database.rows(f"{sql} AND medium = ? AND address = ?", (user_nid, medium, address))
        return [Bind(*row) for row in rows]

    def add_bind(self, transaction: Transaction, user_nid: UserNid, bind: Bind) -> None:
        """Remember where an address is published."""
        self.remove_bind(transaction, user_nid, bind)
        transaction.add(self._insert_bind, (user_nid, bind.medium, bind.address, bind.id_server))

    def remove_bind(self, transaction: Transaction, user_nid: UserNid, bind: Bind) -> None:
        """Forget that an address is published there."""
        transaction.run(
            "DELETE FROM threepid_binds WHERE user_nid = ? AND medium = ? AND address = ? AND id_server = ?",
            (user_nid, bind.medium, bind.address, bind.id_server),
        )
