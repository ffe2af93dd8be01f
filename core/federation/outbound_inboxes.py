"""To-device messages on their way to other servers: queued in the sender's transaction, sent by the senders.

Implements core.encryption's RemoteInboxes. Spec: Server-Server API, "Send-to-device messaging".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import orjson

from core.encryption.remote import Messages
from core.ids import ServerName, UserId, server_of
from core.storage.outbound_inboxes import OutboundInboxStore
from core.storage.writer import Transaction


class OutboundInboxes:
    """Queues messages. `on_post` hears which server has something new once that is durable; it must not wait."""

    def __init__(self, store: OutboundInboxStore) -> None:
        self.store = store
        self.on_post: Callable[[ServerName], None] | None = None

    def post(self, transaction: Transaction, sender: UserId, event_type: str, messages: Messages) -> None:
        """Queue messages durably, in the caller's transaction."""
        by_server: dict[ServerName, dict[str, dict[str, orjson.Fragment]]] = {}
        for user_id, devices in messages.items():
            contents = {device: orjson.Fragment(content) for device, content in devices.items()}
            by_server.setdefault(server_of(user_id), {})[user_id] = contents
        rows = [(server, self._content(sender, event_type, of_users)) for server, of_users in by_server.items()]
        self.store.add(transaction, rows)
        transaction.after_commit(lambda: self._tell(list(by_server)))

    def _content(self, sender: UserId, event_type: str, messages: dict[str, dict[str, orjson.Fragment]]) -> bytes:
        content = {"message_id": secrets.token_urlsafe(16), "messages": messages, "sender": sender, "type": event_type}
        return orjson.dumps(content)

    def _tell(self, servers: list[ServerName]) -> None:
        for server in servers if self.on_post is not None else ():
            self.on_post(server)  # type: ignore[misc]  # it was looked at right above
