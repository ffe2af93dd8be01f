"""The index: FTS5 on SQLite, a FULLTEXT index on MariaDB and MySQL, over the words of plugins.message_search.words.

A message's number is the position of its line in the log, so the newest come first without any other index. Of what
was backfilled it is that position below zero: it is older than all that was live, and the older the later it came.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from core.hooks import EventId, Migration, PluginApi, RoomId, TableSet, Transaction, UserId

_COLUMNS = (
    "event_id VARBINARY(255) NOT NULL, room_id VARBINARY(255) NOT NULL, sender VARBINARY(255) NOT NULL, "
    "field SMALLINT NOT NULL"
)
TABLES = TableSet(
    "message_search",
    [
        Migration(
            1,
            sqlite=[
                f"CREATE TABLE IF NOT EXISTS message_search_messages (nid INTEGER PRIMARY KEY, {_COLUMNS})",
                "CREATE UNIQUE INDEX IF NOT EXISTS message_search_messages_event ON message_search_messages (event_id)",
                "CREATE VIRTUAL TABLE IF NOT EXISTS message_search_index USING fts5(tokens)",
            ],
            mysql=[
                f"CREATE TABLE IF NOT EXISTS message_search_messages (nid BIGINT NOT NULL PRIMARY KEY, {_COLUMNS}, "
                "tokens MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL, "
                "UNIQUE KEY message_search_messages_event (event_id), FULLTEXT KEY message_search_index (tokens)) "
                "ENGINE=InnoDB",
            ],
        )
    ],
)
FIELDS = ("content.body", "content.name", "content.topic")
"""The keys that are searched; their places here are what the tables call them."""
MOST_ROOMS = 20_000
"""Rooms of one user that are searched."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message in the index."""

    nid: int
    event_id: EventId
    room_id: RoomId
    sender: UserId
    field: int
    tokens: str


@dataclass(frozen=True, slots=True)
class Match:
    """A message that has all words of a query, or so the index says."""

    nid: int
    event_id: EventId
    room_id: RoomId


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. Without `senders` those of anybody."""

    tokens: Sequence[tuple[str, bool]]
    rooms: Collection[RoomId]
    fields: Collection[int]
    senders: Collection[str] | None = None


class SearchTables:
    """Reads and writes the index."""

    def __init__(self, api: PluginApi) -> None:
        self._api = api

    def change(self, added: Sequence[Message], removed: Collection[EventId]) -> None:
        """Take messages in, and others out; in one transaction, which may be repeated."""
        is_mysql = self._api.tables.engine == "mysql"

        def write(transaction: Transaction) -> None:
            for event_id in {*removed, *(message.event_id for message in added)}:
                _remove(transaction, event_id, is_mysql)
            for message in added:
                _add(transaction, message, is_mysql)

        self._api.tables.transaction(write)

    def matches(self, query: Query, below: int, limit: int) -> list[Match]:
        """Messages numbered below `below`, the newest first."""
        where, params = self._where(query)
        number = "m.nid" if self._api.tables.engine == "mysql" else "message_search_index.rowid"
        rows = self._api.tables.read(
            f"SELECT m.nid, m.event_id, m.room_id {where} AND {number} < ? ORDER BY {number} DESC LIMIT ?",
            (*params, below, limit),
        )
        return [Match(row[0], EventId(_text(row[1])), RoomId(_text(row[2]))) for row in rows]

    def count(self, query: Query, most: int) -> int:
        """How many messages there are, `most` at most."""
        where, params = self._where(query)
        rows = self._api.tables.read(f"SELECT COUNT(*) FROM (SELECT 1 {where} LIMIT ?) counted", (*params, most))
        return int(rows[0][0])

    def _where(self, query: Query) -> tuple[str, list[Any]]:
        rooms = list(query.rooms)[:MOST_ROOMS]
        if self._api.tables.engine == "mysql":
            asked = " ".join(f"+{token}{'*' * is_begun}" for token, is_begun in query.tokens)
            where = "FROM message_search_messages m WHERE MATCH (m.tokens) AGAINST (? IN BOOLEAN MODE)"
        else:
            asked = " AND ".join(f'"{token}"{" *" * is_begun}' for token, is_begun in query.tokens)
            where = (
                "FROM message_search_index JOIN message_search_messages m ON m.nid = message_search_index.rowid "
                "WHERE message_search_index MATCH ?"
            )
        where += f" AND m.room_id IN ({_marks(rooms)}) AND m.field IN ({_marks(query.fields)})"
        params: list[Any] = [asked, *rooms, *query.fields]
        if query.senders is not None:
            where += f" AND m.sender IN ({_marks(query.senders)})" if query.senders else " AND 1 = 0"
            params += query.senders
        return where, params


def _remove(transaction: Transaction, event_id: EventId, is_mysql: bool) -> None:
    if not is_mysql:
        for (nid,) in transaction.rows("SELECT nid FROM message_search_messages WHERE event_id = ?", (event_id,)):
            transaction.run("DELETE FROM message_search_index WHERE rowid = ?", (nid,))
    transaction.run("DELETE FROM message_search_messages WHERE event_id = ?", (event_id,))


def _add(transaction: Transaction, message: Message, is_mysql: bool) -> None:
    row = (message.nid, message.event_id, message.room_id, message.sender, message.field)
    names = "nid, event_id, room_id, sender, field"
    if is_mysql:
        sql = f"INSERT INTO message_search_messages ({names}, tokens) VALUES (?, ?, ?, ?, ?, ?)"
        transaction.run(sql, (*row, message.tokens))
        return
    transaction.run(f"INSERT INTO message_search_messages ({names}) VALUES (?, ?, ?, ?, ?)", row)
    transaction.run("INSERT INTO message_search_index (rowid, tokens) VALUES (?, ?)", (message.nid, message.tokens))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode("utf-8")


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
