"""OpenID tokens: asked for by users, exchanged by other services for the user's id.

Spec: Client-Server API, "OpenID"; Server-Server API, "OpenID".
"""

from __future__ import annotations

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.secrets import new_token, token_hash
from core.errors import UnknownToken
from core.ids import Requester, UserId
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.writer import Transaction, Writer

PREFIX = "trlo_"
LIFETIME_S = 3600


class Openid:
    """Gives out tokens and says whose they are."""

    def __init__(self, store: OpenidTokenStore, writer: Writer, now_ms: Clock = wall_clock_ms) -> None:
        self._store = store
        self._writer = writer
        self._now_ms = now_ms

    def new_token(self, requester: Requester) -> str:
        """A token that says who the requester is for LIFETIME_S seconds; expired ones of anybody go meanwhile."""
        token, now_ms = new_token(PREFIX), self._now_ms()

        def add(transaction: Transaction) -> None:
            self._store.drop_expired(transaction, now_ms)
            self._store.add(transaction, token_hash(token), requester.user_nid, now_ms + LIFETIME_S * 1000)

        self._writer.submit(add)
        return token

    def owner_of(self, token: str) -> UserId:
        """Whose token it is. Raises: `UnknownToken`."""
        owner = self._store.owner_of(token_hash(token), self._now_ms())
        if owner is None:
            raise UnknownToken("This token is not known, or has expired.")
        return owner
