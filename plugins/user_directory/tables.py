"""What the user directory keeps: a row a user with the text that is searched, and which rooms are public.

Searching looks at every row, in the database's own code: SQLite takes 15 to 45 ms for 100,000 users. That finds parts of
words and Chinese as well as beginnings, without an index that would have to know languages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.hooks import Migration, PluginApi, RoomId, TableSet, Transaction, UserId

TABLES = TableSet(
    "user_directory",
    [
        Migration(
            1,
            [
                "CREATE TABLE IF NOT EXISTS user_directory_users (user_id VARBINARY(255) NOT NULL PRIMARY KEY, "
                "is_local SMALLINT NOT NULL, has_profile SMALLINT NOT NULL, display_name BLOB, avatar_url BLOB, "
                "search_text BLOB NOT NULL)",
                "CREATE TABLE IF NOT EXISTS user_directory_public_rooms (room_id VARBINARY(255) NOT NULL PRIMARY KEY)",
            ],
        )
    ],
)
MOST_CHARACTERS = 500
"""How much of a display name or an avatar's address is kept."""
IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One user as the directory knows them."""

    user_id: UserId
    is_local: bool
    display_name: str | None
    avatar_url: str | None

    def search_text(self) -> bytes:
        """What is searched: the id without its sigil and the words of the name, each between spaces."""
        return f" {' '.join(folded(f'{self.user_id[1:]} {self.display_name or str()}'))} ".encode("utf-8", "replace")


class DirectoryTables:
    """Reads and writes the plugin's tables."""

    def __init__(self, api: PluginApi) -> None:
        self._api = api

    def known(self, users: Collection[UserId]) -> dict[UserId, Entry]:
        """The rows of some users."""
        found: dict[UserId, Entry] = {}
        for ids in _chunks(users):
            rows = self._api.tables.read(
                "SELECT user_id, is_local, display_name, avatar_url FROM user_directory_users "
                f"WHERE user_id IN ({', '.join('?' * len(ids))})",
                ids,
            )
            found.update((entry.user_id, entry) for entry in map(_entry, rows))
        return found

    def change(
        self, changed: Collection[Entry], gone: Collection[UserId], public: Mapping[RoomId, bool] | None = None
    ) -> None:
        """Write users, drop users, and note which rooms are public; in one transaction."""

        def write(transaction: Transaction) -> None:
            for user_id in {*gone, *(entry.user_id for entry in changed)}:
                transaction.run("DELETE FROM user_directory_users WHERE user_id = ?", (user_id,))
            for entry in changed:
                transaction.run(
                    "INSERT INTO user_directory_users (user_id, is_local, has_profile, display_name, avatar_url, "
                    "search_text) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        entry.user_id,
                        int(entry.is_local),
                        int(entry.display_name is not None or entry.avatar_url is not None),
                        _bytes(entry.display_name),
                        _bytes(entry.avatar_url),
                        entry.search_text(),
                    ),
                )
            for room_id, is_public in (public or {}).items():
                transaction.run("DELETE FROM user_directory_public_rooms WHERE room_id = ?", (room_id,))
                if is_public:
                    transaction.run("INSERT INTO user_directory_public_rooms (room_id) VALUES (?)", (room_id,))

        if changed or gone or public:
            self._api.tables.transaction(write)

    def public_among(self, rooms: Collection[RoomId]) -> set[RoomId]:
        """Those of `rooms` that are public."""
        found: set[RoomId] = set()
        for ids in _chunks(rooms):
            marks = ", ".join("?" * len(ids))
            sql = f"SELECT room_id FROM user_directory_public_rooms WHERE room_id IN ({marks})"
            found.update(RoomId(_text(row[0]) or "") for row in self._api.tables.read(sql, ids))
        return found

    def matching(
        self, words: Sequence[str], only_local: bool, local_first: bool, offset: int, limit: int
    ) -> list[Entry]:
        """Users in whose id or name every word occurs: whole words before beginnings, those before other parts."""
        scores, where, ranked, wanted = [], [], [], []
        for word in words:
            whole, part = word.encode("utf-8", "replace"), b" " + word.encode("utf-8", "replace")
            scores.append(
                "CASE WHEN INSTR(search_text, ?) > 0 OR INSTR(search_text, ?) > 0 THEN 4 "
                "WHEN INSTR(search_text, ?) > 0 THEN 2 ELSE 0 END"
            )
            ranked += [part + b" ", part + b":", part]
            where.append("INSTR(search_text, ?) > 0")
            wanted.append(whole)
        if only_local:
            where.append("is_local = 1")
        first = "is_local DESC, " if local_first else ""
        rows = self._api.tables.read(
            f"SELECT user_id, is_local, display_name, avatar_url, {' + '.join(scores)} AS score "
            f"FROM user_directory_users WHERE {' AND '.join(where)} "
            f"ORDER BY {first}score DESC, has_profile DESC, user_id LIMIT ? OFFSET ?",
            (*ranked, *wanted, limit, offset),
        )
        return [_entry(row) for row in rows]


def folded(text: str) -> list[str]:
    """The words of a text as they are compared: compatibility forms and case made alike."""
    return unicodedata.normalize("NFKC", text).casefold().split()


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(UserId(_text(row[0]) or ""), bool(row[1]), _text(row[2]), _text(row[3]))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else bytes(value).decode("utf-8")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text[:MOST_CHARACTERS].encode("utf-8", "replace")


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    listed = list(ids)
    for start in range(0, len(listed), IDS_PER_QUERY):
        yield listed[start : start + IDS_PER_QUERY]
