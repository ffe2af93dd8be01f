"""Imports peewee without the database drivers that it takes along wherever they are installed.

PyMySQL, with `cryptography` behind it, is 5 MB and 25 ms that a server on SQLite has no use for. Connections are made
elsewhere (core.storage.connections, which imports PyMySQL where it needs it); peewee describes tables and spells SQL.
"""

from __future__ import annotations

import sys

_DRIVERS = ("pymysql", "MySQLdb", "psycopg", "psycopg2")


def import_peewee() -> None:
    """Import peewee, to which the drivers look as if they were not installed."""
    hidden = [name for name in _DRIVERS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None says: there is no such module
    try:
        import peewee  # noqa: F401 - for its presence in sys.modules
    finally:
        for name in hidden:
            del sys.modules[name]
