"""The server's terms: which version is in force, who has accepted it, and the link under which a user may.

Settings are those of `user_consent`. The link to a user's own page is signed, so that nobody accepts for another.
Spec: Client-Server API, "Terms of service at registration", `M_CONSENT_NOT_GIVEN`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from core.accounts.clock import Clock, wall_clock_ms
from core.errors import Forbidden
from core.ids import UserId, UserNid, localpart_of
from core.storage.users import UserStore
from core.storage.writer import Transaction, Writer


class Terms:
    """Terms in force."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        public_baseurl: str,
        key: bytes,
        users: UserStore,
        writer: Writer,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self.version = str(settings.get("version", ""))
        self.name = str(settings.get("policy_name", "Privacy Policy"))
        self.is_required_at_registration = bool(settings.get("require_at_registration"))
        self.refusal = str(settings.get("block_events_error") or "")
        """What is told to those who act without having accepted; "" where they may."""
        self.folder: str | None = settings.get("template_dir")
        self._base = public_baseurl
        self._key = key
        self._users = users
        self._writer = writer
        self._now_ms = now_ms

    @property
    def is_in_force(self) -> bool:
        """Whether there are terms at all."""
        return bool(self.version)

    def policies(self) -> Mapping[str, Any]:
        """The documents, as `m.login.terms` names them."""
        url = f"{self._base}_matrix/consent?{urlencode({'v': self.version})}"
        return {"privacy_policy": {"version": self.version, "en": {"name": self.name, "url": url}}}

    def link(self, user_id: UserId) -> str:
        """The page on which a user can accept."""
        name = localpart_of(user_id)
        return f"{self._base}_matrix/consent?{urlencode({'u': name, 'h': self.mac(name)})}"

    def mac(self, localpart: str) -> str:
        """The signature of a user's link."""
        return hmac.new(self._key, f"consent\0{localpart}".encode(), hashlib.sha256).hexdigest()

    def check_mac(self, localpart: str, mac: str) -> None:
        """Raises: `Forbidden` for a link that this server did not make."""
        if not hmac.compare_digest(self.mac(localpart).encode(), mac.encode("utf-8", "replace")):
            raise Forbidden("This link is not one that the server made for you.")

    def accepted_by(self, user_id: UserId) -> str | None:
        """The version a user has accepted last."""
        user = self._users.find(user_id)
        return None if user is None else user.consent_version

    def accept(self, user_id: UserId, version: str) -> None:
        """Note that a user accepts a version. Raises: `Forbidden` where there is no such account."""
        user = self._users.find(user_id)
        if user is None or user.is_deactivated:
            raise Forbidden("There is no such account.")
        self._writer.submit(lambda transaction: self.accept_in(transaction, user.user_nid, version), user.user_nid)

    def accept_in(self, transaction: Transaction, user_nid: UserNid, version: str) -> None:
        """As `accept`, inside the caller's transaction."""
        self._users.set_consent(transaction, user_nid, version, self._now_ms())
