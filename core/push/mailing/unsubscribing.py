"""The link in each mail by which its reader wants no more of them: signed, so that nobody ends another's."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

from core.errors import Forbidden
from core.graph.graph import Graph
from core.ids import UserId, UserNid
from core.storage.pushers import MAIL_APP, PusherStore
from core.storage.writer import Writer

PATH = "/_synapse/client/unsubscribe"


class Unsubscribing:
    """Makes links, and does what they ask for."""

    def __init__(self, public_baseurl: str, key: bytes, graph: Graph, store: PusherStore, writer: Writer) -> None:
        self._base = public_baseurl.rstrip("/")
        self._key = key
        self._graph = graph
        self._store = store
        self._writer = writer

    def link(self, user_id: UserId, address: str) -> str:
        """The page on which mails to an address can be ended."""
        fields = {"user": user_id, "pushkey": address, "h": self._mac(user_id, address)}
        return f"{self._base}{PATH}?{urlencode(fields)}"

    def check(self, user_id: str, address: str, mac: str) -> None:
        """Raises: `Forbidden` for a link that this server did not make."""
        if not hmac.compare_digest(self._mac(user_id, address).encode(), mac.encode("utf-8", "replace")):
            raise Forbidden("This link is not one that the server made for you.")

    def end(self, user_id: str, address: str, mac: str) -> None:
        """Send no more mails about what a user misses to an address. Raises: as `check`."""
        self.check(user_id, address, mac)
        user = self._graph.texts.find(user_id)
        if user is not None:
            nid = UserNid(user)
            self._writer.submit(
                lambda transaction: self._store.remove_of_user(transaction, nid, MAIL_APP, address), nid
            )

    def _mac(self, user_id: str, address: str) -> str:
        return hmac.new(self._key, f"unsubscribe\0{user_id}\0{address}".encode(), hashlib.sha256).hexdigest()
