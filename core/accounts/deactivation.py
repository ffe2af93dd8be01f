"""The end of an account: nobody can sign in any more, and what was kept for its user goes.

Password, sessions, devices, addresses, account data and short-lived tokens go in one transaction; other parts that keep
something for a user (pushers, for one) register a listener. Leaving rooms follows from the log, whatever happens
meanwhile. The name stays taken for ever. With `erase` the profile goes, too, and newcomers to rooms see what the user
sent only redacted. Spec: Client-Server API, "Account deactivation".
"""

from __future__ import annotations

from collections.abc import Callable

from core.accounts.identity_servers import IdentityServers
from core.accounts.sessions import Sessions
from core.errors import Forbidden, NotFound
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import UserId, UserNid
from core.storage.account_data import AccountDataStore
from core.storage.login_tokens import LoginTokenStore
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.profiles import ProfileStore
from core.storage.threepids import ThreepidStore
from core.storage.users import UserStore
from core.storage.writer import Transaction, Writer

Listener = Callable[[Transaction, UserNid, bool], None]
"""(transaction, user, whether the user asked for erasure): deletes what one part keeps for a user."""


class Kept:
    """What the accounts part keeps for a user beside sessions and devices; `forget` is a Listener."""

    def __init__(
        self,
        account_data: AccountDataStore,
        profiles: ProfileStore,
        threepids: ThreepidStore,
        openid_tokens: OpenidTokenStore,
        login_tokens: LoginTokenStore,
    ) -> None:
        self._account_data = account_data
        self._profiles = profiles
        self._threepids = threepids
        self._openid_tokens = openid_tokens
        self._login_tokens = login_tokens

    def forget(self, transaction: Transaction, user_nid: UserNid, erase: bool) -> None:
        """Delete it; the profile only with `erase`."""
        self._account_data.remove_all(transaction, user_nid)
        self._threepids.remove_all(transaction, user_nid)
        self._openid_tokens.remove_of_user(transaction, user_nid)
        self._login_tokens.remove_of_user(transaction, user_nid)
        if erase:
            self._profiles.set(transaction, user_nid, {})


class Deactivation:
    """Ends accounts, for their users and for administrators."""

    def __init__(
        self,
        users: UserStore,
        sessions: Sessions,
        writer: Writer,
        plugins: PluginManager,
        kept: Kept,
        identity: IdentityServers | None = None,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._writer = writer
        self._plugins = plugins
        self._identity = identity
        self._listeners: list[Listener] = [kept.forget]

    def listen(self, listener: Listener) -> None:
        """Have `listener` called in the transaction of each deactivation."""
        self._listeners.append(listener)

    def deactivate(
        self, user_id: UserId, erase: bool = False, by: UserId | None = None, id_server: str | None = None
    ) -> bool:
        """End an account; whether all its published addresses were taken back.

        `by` is who asks, None for the command line. Again is fine, and may add erasure.
        Raises: `NotFound`, `Forbidden` where a plugin objects, or a user is locked out of their own account.
        """
        user = self._users.find(user_id)
        if user is None:
            raise NotFound(f"There is no account {user_id}.")
        if by == user_id and user.is_locked:
            raise Forbidden("This account has been locked.", errcode="M_USER_LOCKED")
        if by is not None:
            self._plugins.require(permissions.may_deactivate_user, user_id=user_id, requested_by=by, is_erasure=erase)
        identity = self._identity
        is_unbound = True if identity is None else identity.unbind_all(user_id, user.user_nid, id_server)

        def deactivate(transaction: Transaction) -> None:
            self._users.set_password_hash(transaction, user.user_nid, None)
            self._users.set_flag(transaction, user.user_nid, "is_deactivated", True)
            self._users.set_flag(transaction, user.user_nid, "is_admin", False)
            if erase:
                self._users.set_flag(transaction, user.user_nid, "is_erased", True)
            self._sessions.close_all_in(transaction, user.user_nid)
            for listener in self._listeners:
                listener(transaction, user.user_nid, erase)

        self._writer.submit(deactivate, user.user_nid)
        self._plugins.tell(
            observers.user_status_changed,
            user_id=user_id,
            is_deactivated=True,
            is_erased=erase,
            by_admin=by != user_id,
        )
        return is_unbound
