"""Contradictions between settings that are each fine by themselves."""

from __future__ import annotations

from collections.abc import Collection

from core.config.model import Config
from core.ids import is_room_alias, is_room_id


def contradictions(config: Config, given: Collection[str]) -> list[str]:
    """A sentence for each; `given` are the keys the file names."""
    return [
        *_sockets(config),
        *_workers(config),
        *_registration(config),
        *_auto_join(config),
        *_keys(given),
        *_database(config),
    ]


def _sockets(config: Config) -> list[str]:
    found = []
    listeners = config.listeners
    if any(listener.tls for listener in listeners.listeners):
        for key in ("tls_certificate_path", "tls_private_key_path"):
            if getattr(listeners, key) is None:
                found.append(f"{key}: missing; a listener has tls: true, which needs it.")
    if not listeners.listeners:
        found.append("listeners: [] is not allowed; give at least one.")
    taken: set[str] = set()
    for listener in listeners.listeners:
        for bind in listener.binds():
            if bind in taken and not bind.endswith(":0"):
                found.append(f"listeners: {bind} is named twice; each address may have one listener.")
            taken.add(bind)
    return found


def _workers(config: Config) -> list[str]:
    return [] if config.workers.count == 1 else [one_worker_only(config.workers.count)]


def one_worker_only(count: int) -> str:
    """Why there cannot be `count` workers (docs/decisions/0007-one-worker.md)."""
    return (
        f"workers: {count} is not allowed; give 1. Typing, presence, unread counts and what is sent to other servers "
        "are one process's in this release."
    )


def _registration(config: Config) -> list[str]:
    registration = config.registration
    if registration.is_open and not (
        registration.has_conditions or registration.enable_registration_without_verification
    ):
        return [
            "enable_registration: true is not allowed alone, since anybody could fill the server with accounts; add "
            "registration_requires_token, registrations_require_3pid, enable_registration_captcha or "
            "registration_requires_stages, or say enable_registration_without_verification: true."
        ]
    return []


def _auto_join(config: Config) -> list[str]:
    registration = config.registration
    found = [
        f"auto_join_rooms: {room!r} is not allowed; give aliases such as #welcome:example.com, or room ids."
        for room in registration.auto_join_rooms
        if not (is_room_alias(room) or is_room_id(room))
    ]
    preset, makes = registration.autocreate_auto_join_room_preset, registration.autocreate_auto_join_rooms
    if registration.auto_join_rooms and makes and preset != "public_chat" and not registration.auto_join_mxid_localpart:
        found.append(
            f"auto_join_mxid_localpart: missing; autocreate_auto_join_room_preset: {preset} makes rooms that nobody can "
            "join uninvited, and this user invites."
        )
    return found


def _keys(given: Collection[str]) -> list[str]:
    if {"signing_key", "signing_key_path"} <= set(given):
        return ["signing_key: given twice; leave out either signing_key or signing_key_path."]
    return []


def _database(config: Config) -> list[str]:
    if config.database.name != "mysql":
        return []
    return [
        f"database.args.{key}: missing; a MariaDB or MySQL database needs it."
        for key in ("user", "database")
        if not (config.database.args.get(key) or (key == "database" and config.database.args.get("db")))
    ]
