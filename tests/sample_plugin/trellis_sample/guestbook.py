"""Contributes one of everything: a guestbook that counts the messages of each user."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from core.hooks import (
    AuthStage,
    Consumer,
    Edu,
    Event,
    EventId,
    Job,
    LogKind,
    LogLine,
    Mail,
    MailTransport,
    MediaBackend,
    Migration,
    PluginApi,
    Reject,
    SyncRange,
    SyncSection,
    TableSet,
    Transaction,
    UnsignedFields,
    UserId,
    hookimpl,
)

WAVE = "org.example.wave"


class Guestbook:
    """Who has written how much, and who has waved. `forget_every_seconds` of the configuration is 60 unless set."""

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        self._api = api
        self._forget_every_seconds = config.get("forget_every_seconds", 60)
        self._waves: list[tuple[int, str]] = []
        """(tick, user id), in memory: waves do not outlive the server."""

    @hookimpl
    def contribute_tables(self) -> Sequence[TableSet]:
        """One table, made alike on both engines, with an index."""
        table = "CREATE TABLE IF NOT EXISTS guestbook_entries (user_id VARBINARY(255) PRIMARY KEY, messages BIGINT)"
        index = Migration(
            2, sqlite=["CREATE INDEX IF NOT EXISTS guestbook_by_messages ON guestbook_entries (messages)"]
        )
        return [TableSet("guestbook", [Migration(1, [table]), index])]

    @hookimpl
    def contribute_consumers(self) -> Sequence[Consumer]:
        """Follow the log from its start."""
        return [Consumer("count", frozenset({LogKind.EVENT}), self.count, from_start=True)]

    def count(self, batch: Sequence[LogLine]) -> None:
        """Add the batch's messages to the table."""
        senders = [line.event.sender for line in batch if line.event and line.event.type == "m.room.message"]

        def write(transaction: Transaction) -> None:
            for sender in senders:
                update = "UPDATE guestbook_entries SET messages = messages + 1 WHERE user_id = ?"
                if not transaction.run(update, (sender,)):
                    transaction.run("INSERT INTO guestbook_entries VALUES (?, 1)", (sender,))

        self._api.tables.transaction(write)

    @hookimpl
    def contribute_blueprints(self) -> Sequence[Blueprint]:
        """The guestbook for reading, and waving."""
        blueprint = Blueprint("sample_guestbook", __name__)

        @blueprint.get("/_sample/guestbook")
        def read() -> ResponseReturnValue:
            """Messages by user, for users."""
            self._api.gate.authenticate(request)
            rows = self._api.tables.read("SELECT user_id, messages FROM guestbook_entries")
            return jsonify(dict(rows))

        @blueprint.post("/_sample/wave")
        def wave() -> ResponseReturnValue:
            """Wave to whoever shares a room."""
            requester = self._api.gate.authenticate(request)
            self._api.gate.limit(requester, "rc_message")
            self.wave(requester.user_id)
            servers = self._api.rooms.servers_sharing(requester.user_id)
            self._api.federation.send_edu(WAVE, {"user_id": requester.user_id}, servers, key=requester.user_id)
            return jsonify({})

        @blueprint.get("/_sample/hello")
        def hello() -> ResponseReturnValue:
            """Greet anybody."""
            return jsonify({"hello": self._api.server.server_name})

        return [blueprint]

    def wave(self, user_id: UserId) -> None:
        """Show a wave in the syncs of those who share a room with the user."""
        tick = self._api.sync.advance(users=self._api.rooms.users_sharing(user_id))
        self._waves.append((tick, user_id))

    @hookimpl
    def contribute_sync_sections(self) -> Sequence[SyncSection]:
        """The waves since the last sync."""
        return [SyncSection(WAVE, self.waves)]

    def waves(self, wanted: SyncRange) -> Any | None:
        """Users who waved in the range."""
        since = wanted.since_tick if wanted.since_tick is not None else -1
        users = [user_id for tick, user_id in self._waves if since < tick <= wanted.until_tick]
        return {"users": users} if users else None

    @hookimpl
    def contribute_edus(self) -> Sequence[Edu]:
        """Waves from elsewhere."""
        return [Edu(WAVE, self.receive)]

    def receive(self, origin: str, content: Mapping[str, Any]) -> None:
        """Take a wave in if the user is of the server that says so."""
        user_id = content.get("user_id")
        if isinstance(user_id, str) and user_id.endswith(f":{origin}"):
            self.wave(UserId(user_id))

    @hookimpl
    def contribute_background_jobs(self) -> Sequence[Job]:
        """Forget old waves now and then."""
        return [Job("forget", self._forget_every_seconds, self.forget)]

    def forget(self) -> None:
        """Keep the last hundred."""
        del self._waves[:-100]

    @hookimpl
    def contribute_commands(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """`hsctl sample-hello NAME`."""
        parser = subparsers.add_parser("sample-hello", help="say hello")
        parser.add_argument("name")
        parser.set_defaults(run=_say_hello)

    @hookimpl
    def contribute_auth_stages(self) -> Sequence[AuthStage]:
        """A stage that asks for the magic word."""
        return [AuthStage("org.example.word", lambda: {"hint": "What do you say?"}, _check_word)]

    @hookimpl
    def contribute_mail_transport(self) -> MailTransport:
        """Keep mail instead of sending it."""
        return Outbox()

    @hookimpl
    def contribute_storage_backends(self) -> Sequence[MediaBackend]:
        """Media in memory."""
        return [Memory()]

    @hookimpl
    def contribute_unsigned_fields(self) -> Sequence[UnsignedFields]:
        """Mark the reader's own messages."""
        return [UnsignedFields(frozenset({"org.example.mine"}), _mark_own)]


class Outbox:
    """A mail transport without a network."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        """Keep it."""
        self.mails.append(mail)


class Memory:
    """A media backend that forgets everything on a restart."""

    name = "memory"

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def write(self, path: str, source: BinaryIO) -> None:
        """Keep it."""
        self._files[path] = source.read()

    def read(self, path: str, start: int = 0) -> Iterable[bytes] | None:
        """In pieces of 64 KiB."""
        if path not in self._files:
            return None
        source = io.BytesIO(self._files[path][start:])
        return iter(lambda: source.read(65536), b"")

    def size(self, path: str) -> int | None:
        """In bytes."""
        return len(self._files[path]) if path in self._files else None

    def delete(self, path: str) -> bool:
        """Forget it."""
        return self._files.pop(path, None) is not None


def _say_hello(arguments: argparse.Namespace) -> int:
    print(f"hello, {arguments.name}")
    return 0


def _check_word(user_id: str | None, auth: Mapping[str, Any]) -> Mapping[str, Any] | Reject:
    if auth.get("word") != "please":
        return Reject(reason="That is not the magic word.")
    return {"polite": True}


def _mark_own(viewer: UserId, events: Sequence[Event]) -> Mapping[EventId, Mapping[str, Any]]:
    return {event.event_id: {"org.example.mine": True} for event in events if event.sender == viewer}
