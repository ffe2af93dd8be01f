"""Cross-signing keys of this server's users, and the signatures their user-signing keys made on other users' keys.

Signatures that everybody may see are part of the stored key. Those made by a user-signing key say who trusts whom;
they are kept apart, by signer, and shown to nobody else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from peewee import CompositeKey

from core.ids import UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, SmallIntegerField, Table
from core.storage.writer import Transaction

USAGES = ("master", "self_signing", "user_signing")
"""What a key is for, by the number it is stored as."""


class CrossSigningKeyRecord(Table):
    """A key of one user. `usage_number` indexes USAGES."""

    user_nid = BigIntegerField()
    usage_number = SmallIntegerField()
    public_key = MatrixStringField(255)
    body = BytesField()

    class Meta:
        table_name = "cross_signing_keys"
        primary_key = CompositeKey("user_nid", "usage_number")
        without_rowid = True


class UserSignatureRecord(Table):
    """What a user-signing key says of another user's master key `public_key`. `signatures`: key id to signature."""

    signer_nid = BigIntegerField()
    target_nid = BigIntegerField()
    public_key = MatrixStringField(255)
    signatures = BytesField()

    class Meta:
        table_name = "user_signatures"
        primary_key = CompositeKey("signer_nid", "target_nid")
        without_rowid = True
        indexes = ((("target_nid",), False),)


@dataclass(frozen=True, slots=True)
class CrossSigningKey:
    """A key as published: its purpose, its unpadded Base64, and the JSON object with the signatures all may see."""

    user_nid: UserNid
    usage: str
    public_key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class UserSignature:
    """The signatures, a JSON object, that a user made on another user's master key."""

    target_nid: UserNid
    public_key: str
    signatures: bytes


class CrossSigningStore:
    """Reads and writes cross-signing keys. Changes are told as DEVICE_LIST lines."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.dialect.upsert(CrossSigningKeyRecord)
        self._put_signature = database.dialect.upsert(UserSignatureRecord)

    def of_users(self, user_ids: Collection[str]) -> list[tuple[str, CrossSigningKey]]:
        """(user id, key) of all keys of some local users."""
        rows = self._database.rows_in(
            "SELECT u.user_id, c.user_nid, c.usage_number, c.public_key, c.body FROM users u "
            "JOIN cross_signing_keys c ON c.user_nid = u.user_nid WHERE u.user_id IN ({})",
            user_ids,
        )
        return [(row[0], CrossSigningKey(row[1], USAGES[row[2]], row[3], row[4])) for row in rows]

    def of_user(self, source: Database | Transaction, user_nid: UserNid) -> dict[str, CrossSigningKey]:
        """A user's keys by what they are for."""
        rows = source.rows(
            "SELECT usage_number, public_key, body FROM cross_signing_keys WHERE user_nid = ?", (user_nid,)
        )
        return {USAGES[row[0]]: CrossSigningKey(user_nid, USAGES[row[0]], row[1], row[2]) for row in rows}

    def put(self, transaction: Transaction, key: CrossSigningKey) -> None:
        """Write a key, in place of the user's former one for the same purpose."""
        transaction.add(self._put, (key.user_nid, USAGES.index(key.usage), key.public_key, key.body))
        transaction.log(Kind.DEVICE_LIST, key.user_nid, key.user_nid)

    def remove(self, transaction: Transaction, user_nid: UserNid, usages: Collection[str]) -> None:
        """Drop keys that nothing vouches for any more."""
        for usage in usages:  # at most three
            transaction.run(
                "DELETE FROM cross_signing_keys WHERE user_nid = ? AND usage_number = ?",
                (user_nid, USAGES.index(usage)),
            )

    def remove_all(self, transaction: Transaction, user_nid: UserNid) -> None:
        """Drop the keys of a user whose account ends, what they signed and what was signed of theirs, and tell of it."""
        self.remove(transaction, user_nid, USAGES)
        self.forget_signatures_by(transaction, user_nid)
        self.forget_signatures_of(transaction, user_nid)
        transaction.log(Kind.DEVICE_LIST, user_nid, user_nid)

    def signatures_by(self, signer_nid: UserNid, target_nids: Collection[UserNid]) -> dict[UserNid, UserSignature]:
        """What one user signed, of some others' keys."""
        rows = self._database.rows_in(
            "SELECT target_nid, public_key, signatures FROM user_signatures "
            "WHERE target_nid IN ({}) AND signer_nid = ?",
            target_nids,
            after=(signer_nid,),
        )
        return {row[0]: UserSignature(*row) for row in rows}

    def put_signature(self, transaction: Transaction, signer_nid: UserNid, signature: UserSignature) -> None:
        """Keep a signature, and let the signer's own devices, and nobody else, know."""
        row = (signer_nid, signature.target_nid, signature.public_key, signature.signatures)
        transaction.add(self._put_signature, row)
        transaction.log(Kind.DEVICE_LIST, signer_nid, signature.target_nid)

    def forget_signatures_by(self, transaction: Transaction, signer_nid: UserNid) -> None:
        """The user-signing key was replaced: what the old one signed is worth nothing."""
        transaction.run("DELETE FROM user_signatures WHERE signer_nid = ?", (signer_nid,))

    def forget_signatures_of(self, transaction: Transaction, target_nid: UserNid) -> None:
        """The master key was replaced: what others signed is no longer shown."""
        transaction.run("DELETE FROM user_signatures WHERE target_nid = ?", (target_nid,))
