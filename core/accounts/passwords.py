"""Passwords: the server's policy, and the hooks that hash and check them.

Nothing is cached: a hash is read at each check, so one that an administrator put into the table counts at the next
login. Hashing happens in plugins, off the hub; an unknown account costs the same work as a known one.
"""

from __future__ import annotations

import unicodedata

from core.config.auth import AuthConfig
from core.errors import BadRequest
from core.hooks.manager import PluginManager
from core.hooks.specs import passwords
from core.hooks.verdicts import PasswordAccepted, Reject
from core.ids import UserId, UserNid
from core.storage.users import UserStore
from core.storage.writer import Writer

MAX_PASSWORD_BYTES = 512
"""Longest password looked at; hashing plugins may allow less."""


class WeakPassword(BadRequest):
    """A new password does not satisfy the server's policy."""

    errcode = "M_WEAK_PASSWORD"


class Passwords:
    """Checks passwords and sets new ones."""

    def __init__(self, users: UserStore, writer: Writer, plugins: PluginManager, auth: AuthConfig) -> None:
        self._users = users
        self._writer = writer
        self._plugins = plugins
        self._auth = auth

    def check(self, user_id: UserId, password: str) -> PasswordAccepted | None:
        """Whose password it is, None where it is wrong or there is no such account.

        Raises: PluginUnavailable where a plugin that must be asked fails.
        """
        answer = self._plugins.ask(passwords.check_password, user_id=user_id, password=password)
        if answer is not None:
            return answer if isinstance(answer, PasswordAccepted) else None
        found = self._users.find_with_password(user_id) if self._auth.password_localdb_enabled else None
        stored_hash = None if found is None else found[1]
        is_right = self._plugins.ask(passwords.verify_password, stored_hash=stored_hash, password=password)
        return PasswordAccepted(user_id) if is_right and stored_hash is not None else None

    def hash(self, password: str) -> str:
        """What is to be stored for a new password. Raises: `WeakPassword`, `BadRequest`, PluginUnavailable."""
        self.check_policy(password)
        answer = self._plugins.ask(passwords.hash_password, password=password)
        if answer is None:
            raise BadRequest("This server has no plugin that keeps passwords.", errcode="M_FORBIDDEN")
        if isinstance(answer, Reject):
            raise BadRequest(answer.reason, errcode=answer.errcode, **answer.fields)
        return str(answer)

    def check_policy(self, password: str) -> None:
        """Raises: `WeakPassword`, with a sentence that says what is missing."""
        if not password:
            raise WeakPassword("A password must not be empty.")
        if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
            raise WeakPassword(f"A password must not be longer than {MAX_PASSWORD_BYTES} bytes.")
        policy = self._auth.password_policy
        if not policy.get("enabled"):
            return
        shortest = int(policy.get("minimum_length") or 0)
        if len(password) < shortest:
            raise WeakPassword(f"A password must have at least {shortest} characters on this server.")
        for key, what, has in (
            ("require_digit", "a digit", str.isdigit),
            ("require_lowercase", "a lower-case letter", str.islower),
            ("require_uppercase", "an upper-case letter", str.isupper),
            ("require_symbol", "a symbol", _is_symbol),
        ):
            if policy.get(key) and not any(has(character) for character in password):
                raise WeakPassword(f"A password must contain {what} on this server.")

    def set(self, user_nid: UserNid, password: str) -> None:
        """Give an account a new password; its sessions stay. Raises: as `hash`."""
        hashed = self.hash(password)
        self._writer.submit(lambda transaction: self._users.set_password_hash(transaction, user_nid, hashed), user_nid)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSZ"
