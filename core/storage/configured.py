"""From the configuration's `database` section to what the handle needs, and back to words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.config.database import DatabaseConfig
from core.storage.connections import MysqlSettings, SqliteSettings
from core.storage.database import Settings


def settings_from(config: DatabaseConfig) -> Settings:
    """The settings of the engine that is configured."""
    if config.name.startswith("sqlite"):
        return SqliteSettings(Path(config.path), config.synchronous)
    args: dict[str, Any] = dict(config.args)
    tls = dict(args.get("ssl") or {})
    return MysqlSettings(
        database=str(args.get("database") or args.get("db") or "trellis"),
        user=str(args.get("user") or "trellis"),
        password=str(args.get("password") or args.get("passwd") or ""),
        host=str(args.get("host") or "127.0.0.1"),
        port=int(args.get("port") or 3306),
        unix_socket=args.get("unix_socket"),
        pool_size=config.pool_size,
        ssl_ca=tls.get("ca"),
        ssl_cert=tls.get("cert"),
        ssl_key=tls.get("key"),
    )


def describe(settings: Settings) -> str:
    """Where the database is, in words that begin a sentence."""
    if isinstance(settings, SqliteSettings):
        return f"The SQLite file {settings.path}"
    where = settings.unix_socket or f"{settings.host}:{settings.port}"
    return f"The database {settings.database} at {where}"
