"""What the server says of itself when it has started: a few lines on stderr."""

from __future__ import annotations

from collections.abc import Iterable

from core.config import Config
from core.config.logs import log_place


def banner(config: Config, facts: Iterable[tuple[str, str]]) -> str:
    """Name, listeners, database, registration, plugins and log, one a line.

    `facts` are the application's own (label, text) pairs; one with a label used here replaces ours.
    """
    lines = {
        "server name": config.server_name,
        "config": config.source or "none, built-in defaults",
        "listeners": ", ".join(_listeners(config)),
        "database": _database(config),
        "registration": _registration(config),
        "plugins": ", ".join(plugin.module for plugin in config.plugins.modules) or "none",
        "log": log_place(config.logging),
    }
    lines.update({label.lower(): text for label, text in facts})
    width = max(len(label) for label in lines)
    return "\n".join(["Trellis is ready.", *(f"  {label:<{width}}  {text}" for label, text in lines.items())])


def _listeners(config: Config) -> Iterable[str]:
    for listener in config.listeners.listeners:
        scheme = "https" if listener.tls else "http"
        for bind in listener.binds():
            yield f"{bind} (TLS)" * listener.tls or bind if listener.path else f"{scheme}://{bind}"


def _database(config: Config) -> str:
    database = config.database
    if database.name == "sqlite":
        risk = ", synchronous=NORMAL: a power cut may lose the last moments" if database.synchronous == "NORMAL" else ""
        return f"SQLite, {database.path}{risk}"
    host = database.args.get("unix_socket") or database.args.get("host", "localhost")
    return f"MariaDB or MySQL, {database.args.get('database') or database.args.get('db')} on {host}"


def _registration(config: Config) -> str:
    registration = config.registration
    if not registration.is_open:
        return "closed" + (", except with the shared secret" if registration.registration_shared_secret else "")
    if registration.registration_requires_token:
        return "open, with a registration token"
    return "open, with conditions" if registration.has_conditions else "open to everybody, without verification"
