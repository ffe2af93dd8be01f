"""Login tokens: a signed-in client lets another one in. Also the login type by which single sign-on ends.

Spec: Client-Server API, `POST /login/get_token`, "Token-based".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.secrets import new_token, token_hash
from core.errors import Forbidden, MissingParam
from core.hooks.verdicts import PasswordAccepted
from core.ids import UserNid
from core.storage.login_tokens import LoginTokenStore
from core.storage.writer import Transaction, Writer

PREFIX = "trll_"
DEFAULT_LIFETIME_MS = 120_000


class LoginTokens:
    """Makes tokens, and spends them: `m.login.token`."""

    type = "m.login.token"

    def __init__(
        self,
        store: LoginTokenStore,
        writer: Writer,
        gives_tokens: bool,
        lifetime_ms: int = DEFAULT_LIFETIME_MS,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._store = store
        self._writer = writer
        self._gives_tokens = gives_tokens
        self.lifetime_ms = lifetime_ms
        self._now_ms = now_ms

    def flow(self) -> dict[str, Any]:
        """The type, and whether clients can get tokens for others."""
        return {"type": self.type, **({"get_login_token": True} if self._gives_tokens else {})}

    def new_token(self, user_nid: UserNid) -> str:
        """A token that signs one client in as this user; expired ones of anybody go meanwhile."""
        token, now_ms = new_token(PREFIX), self._now_ms()

        def add(transaction: Transaction) -> None:
            self._store.drop_expired(transaction, now_ms)
            self._store.add(transaction, token_hash(token), user_nid, now_ms + self.lifetime_ms)

        self._writer.submit(add)
        return token

    def authenticate(self, body: Mapping[str, Any]) -> PasswordAccepted:
        """Who the token signs in; it is spent, whatever comes of the login. Raises: `MissingParam`, `Forbidden`."""
        token = body.get("token")
        if not isinstance(token, str):
            raise MissingParam("'token' is required and must be a string.")
        digest, now_ms = token_hash(token), self._now_ms()
        user_id = self._writer.submit(lambda transaction: self._store.spend(transaction, digest, now_ms))
        if user_id is None:
            raise Forbidden("This login token is not known, has expired or was used already.")
        return PasswordAccepted(user_id)
