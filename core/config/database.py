"""Which database, and how to reach it."""

# ruff: noqa: RUF009 - setting() makes a dataclass field, which the rule cannot see
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config.parsers import anything, choice, integer, mapping
from core.config.settings import setting

_SQLITE = ("sqlite3", "sqlite")
_MYSQL = ("mariadb", "mysql", "pymysql")


def engine(value: Any) -> str:
    """`sqlite` or `mysql` (which is MariaDB too)."""
    if value in _SQLITE:
        return "sqlite"
    if value in _MYSQL:
        return "mysql"
    raise ValueError("sqlite3 for a file, or mariadb or mysql for a server; PostgreSQL is not supported")


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """The database: a SQLite file, or a MariaDB or MySQL server."""

    name: str = setting("sqlite3", engine, "sqlite3, mariadb or mysql.", key="database.name")
    args: Mapping[str, Any] = setting(
        {},
        mapping,
        "For sqlite3: database, the file (default {data_dir}/homeserver.db). For mariadb and mysql: host, port, user, "
        "password, password_path, database, unix_socket, ssl (a mapping with ca, cert, key), cp_min and cp_max "
        "(connections kept and allowed).",
        key="database.args",
        example={"database": "data/homeserver.db"},
    )
    synchronous: str = setting(
        "FULL",
        choice("FULL", "NORMAL"),
        "SQLite only. FULL: what is acknowledged survives a power cut. NORMAL: faster, the last moments may be lost.",
        key="database.synchronous",
    )
    max_connections: int = setting(
        20,
        integer(2, 1000),
        "Most connections of one worker; args.cp_max has precedence.",
        key="database.max_connections",
    )
    allow_unsafe_locale: Any = setting(
        None, anything, "Accepted for compatibility; it concerns PostgreSQL only.", key="database.allow_unsafe_locale"
    )
    default_path: str = field(default="data/homeserver.db", metadata={"derived": True})

    @property
    def path(self) -> str:
        """The SQLite file."""
        return str(self.args.get("database", self.default_path))

    @property
    def pool_size(self) -> int:
        """Most connections of one worker."""
        return int(self.args.get("cp_max", self.max_connections))
