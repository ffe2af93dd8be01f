"""Who owns an access token: asked by every request, so answered from memory.

A token's owner is kept for a minute, and dropped at once when a line of the log says that something about the user
changed, whichever process changed it. Tokens are known by their hash here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.last_seen import LastSeen
from core.accounts.secrets import token_hash
from core.errors import Forbidden, UnknownToken
from core.hooks.manager import PluginManager
from core.hooks.specs import passwords
from core.ids import Requester, UserNid
from core.storage.access_tokens import AccessToken, AccessTokenStore
from core.storage.log import Kind, Line
from core.storage.writer import Transaction, Writer

KEPT_MS = 60_000
"""How long an answer is kept: an account that is locked with SQL is locked out after this time."""
MAX_KEPT = 100_000
"""Tokens kept at most; the oldest tenth goes first."""


@dataclass(frozen=True, slots=True)
class _Known:
    requester: Requester
    until_ms: int
    expires_ms: int | None
    is_locked: bool
    is_suspended: bool
    is_outlived: bool


class AccessTokens:
    """The gate's `TokenLookup`. Register `follow` with the log's tail."""

    followed = (Kind.USER_STATUS,)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        store: AccessTokenStore,
        writer: Writer,
        last_seen: LastSeen,
        now_ms: Clock = wall_clock_ms,
        max_kept: int = MAX_KEPT,
        plugins: PluginManager | None = None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._last_seen = last_seen
        self._now_ms = now_ms
        self._max_kept = max_kept
        self._plugins = plugins
        self._known: dict[bytes, _Known] = {}
        self._of_user: dict[UserNid, set[bytes]] = {}
        self._changes = 0

    def requester_of(self, token: str) -> Requester:
        """The owner.

        Raises: `UnknownToken`, with `soft_logout=True` where the token expired or the account is locked (then with
        `M_USER_LOCKED`); `Forbidden` where a plugin says that the account has expired.
        Spec: Client-Server API, "Soft logout", "Account locking".
        """
        known = self._find(token)
        if known.is_locked:
            raise UnknownToken("This account has been locked.", errcode="M_USER_LOCKED", soft_logout=True)
        if known.is_outlived:
            raise Forbidden("This account has expired.", errcode="M_USER_ACCOUNT_EXPIRED")
        return known.requester

    def even_locked(self, token: str) -> Requester:
        """The owner, who may be locked: for logging out. Raises: `UnknownToken`."""
        return self._find(token).requester

    def is_suspended(self, token: str) -> bool:
        """Whether the owner is suspended. Raises: `UnknownToken`."""
        return self._find(token).is_suspended

    def seen(self, requester: Requester, ip: str, user_agent: str) -> None:
        """Note that the requester was active."""
        self._last_seen.note(requester, ip, user_agent)

    def follow(self, lines: Iterable[Line]) -> None:
        """Drop what is known of users whose standing or sessions changed."""
        for line in lines:
            if line.kind is Kind.USER_STATUS:
                self.forget(UserNid(line.subject))

    def forget(self, user_nid: UserNid) -> None:
        """Drop what is known of one user's tokens."""
        self._changes += 1
        for digest in self._of_user.pop(user_nid, ()):
            self._known.pop(digest, None)

    def _find(self, token: str) -> _Known:
        digest = token_hash(token)
        now_ms = self._now_ms()
        known = self._known.get(digest)
        if known is None or known.until_ms <= now_ms:
            known = self._read(digest, now_ms)
        if known.expires_ms is not None and known.expires_ms <= now_ms:
            raise UnknownToken("This access token has expired.", soft_logout=True)
        return known

    def _read(self, digest: bytes, now_ms: int) -> _Known:
        changes = self._changes
        stored = self._store.find(digest)
        if stored is None or stored.is_deactivated:
            raise UnknownToken("This access token is not known.", soft_logout=False)
        known = _Known(
            _requester(stored),
            now_ms + KEPT_MS,
            stored.expires_ms,
            stored.is_locked,
            stored.is_suspended,
            self._is_outlived(stored),
        )
        is_expired = stored.expires_ms is not None and stored.expires_ms <= now_ms
        if stored.refresh_nid is not None and not stored.is_used and not is_expired:
            self._writer.submit(lambda transaction: self._use(transaction, stored), stored.user_nid)
        elif changes == self._changes:
            self._keep(digest, known)
        return known

    def _is_outlived(self, stored: AccessToken) -> bool:
        if self._plugins is None:
            return False
        return bool(self._plugins.ask(passwords.is_user_expired, user_id=stored.user_id))

    def _use(self, transaction: Transaction, stored: AccessToken) -> None:
        self._store.mark_used(transaction, stored)
        transaction.log(Kind.USER_STATUS, stored.user_nid, stored.user_nid, replaces=True)

    def _keep(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= self._max_kept:
            for old in list(self._known)[: max(1, self._max_kept // 10)]:
                self._drop(old)
        self._known[digest] = known
        self._of_user.setdefault(known.requester.user_nid, set()).add(digest)

    def _drop(self, digest: bytes) -> None:
        user_nid = self._known.pop(digest).requester.user_nid
        digests = self._of_user.get(user_nid)
        if digests is not None:
            digests.discard(digest)
            if not digests:
                del self._of_user[user_nid]


def _requester(stored: AccessToken) -> Requester:
    return Requester(
        user_id=stored.user_id,
        user_nid=stored.user_nid,
        device_id=stored.device_id,
        token_nid=stored.token_nid,
        is_guest=stored.is_guest,
        is_admin=stored.is_admin,
        appservice_id=stored.appservice_id,
        is_suspended=stored.is_suspended,
        consent_version=stored.consent_version,
    )
