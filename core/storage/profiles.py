"""Profiles of local users: one row a user, all fields in one JSON object, read and answered as a whole.

Spec: Client-Server API, "Profiles". What other servers' users are called is not kept here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from core.ids import UserNid
from core.storage.database import Database
from core.storage.log import Kind
from core.storage.tables import BigIntegerField, BytesField, Table
from core.storage.writer import Transaction


class ProfileRecord(Table):
    """A profile, as a JSON object."""

    user_nid = BigIntegerField(primary_key=True)
    fields = BytesField()

    class Meta:
        table_name = "profiles"


class ProfileStore:
    """Reads and writes profiles. A change is told as a PROFILE line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._set = database.dialect.upsert(ProfileRecord)

    def find(self, user_nid: UserNid) -> dict[str, Any]:
        """All fields of a user; none where nothing was ever set."""
        found = self._database.value("SELECT fields FROM profiles WHERE user_nid = ?", (user_nid,))
        return {} if found is None else orjson.loads(found)

    def find_many(self, user_nids: Collection[UserNid]) -> dict[UserNid, dict[str, Any]]:
        """The profiles of those users who have one."""
        rows = self._database.rows_in("SELECT user_nid, fields FROM profiles WHERE user_nid IN ({})", user_nids)
        return {nid: orjson.loads(fields) for nid, fields in rows}

    def read_in(self, transaction: Transaction, user_nid: UserNid) -> dict[str, Any]:
        """All fields, seen from inside the writer."""
        found = transaction.value("SELECT fields FROM profiles WHERE user_nid = ?", (user_nid,))
        return {} if found is None else orjson.loads(found)

    def set(self, transaction: Transaction, user_nid: UserNid, fields: Mapping[str, Any]) -> None:
        """Replace a profile as a whole."""
        transaction.add(self._set, (user_nid, orjson.dumps(fields)))
        transaction.log(Kind.PROFILE, user_nid, user_nid, replaces=True)
