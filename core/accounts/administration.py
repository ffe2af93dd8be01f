"""What administrators do to accounts, from the command line and the admin API: no consent of the user is asked."""

from __future__ import annotations

from core.accounts.deactivation import Deactivation
from core.accounts.passwords import Passwords
from core.accounts.registration import NewAccount, Registration
from core.accounts.sessions import Sessions
from core.errors import BadRequest, NotFound
from core.ids import UserId
from core.storage.users import User, UserStore
from core.storage.writer import Transaction, Writer


class Administration:
    """Makes, changes and ends accounts."""

    def __init__(
        self,
        users: UserStore,
        registration: Registration,
        passwords: Passwords,
        sessions: Sessions,
        writer: Writer,
        deactivation: Deactivation,
    ) -> None:
        self._users = users
        self._registration = registration
        self._passwords = passwords
        self._sessions = sessions
        self._writer = writer
        self._deactivation = deactivation

    def create(self, localpart: str, password: str, displayname: str | None = None, is_admin: bool = False) -> User:
        """Make an account. Raises: as `Registration.check_name` and `Passwords.hash`."""
        localpart = localpart.lower()
        self._registration.check_name(localpart)
        account = NewAccount(localpart, self._passwords.hash(password), displayname, is_admin=is_admin)
        return self._registration.create(account)[0]

    def get(self, user_id: UserId) -> User:
        """The account. Raises: `NotFound`."""
        found = self._users.find(user_id)
        if found is None:
            raise NotFound(f"There is no account {user_id}.")
        return found

    def reset_password(self, user_id: UserId, password: str, keep_sessions: bool = False) -> None:
        """Set a new password, and log the user out everywhere unless `keep_sessions`.

        Raises: `NotFound`, `BadRequest` for an account that is deactivated, and as `Passwords.hash`.
        """
        user = self.get(user_id)
        if user.is_deactivated:
            raise BadRequest(f"The account {user_id} is deactivated; a password would not help.")
        hashed = self._passwords.hash(password)

        def change(transaction: Transaction) -> None:
            self._users.set_password_hash(transaction, user.user_nid, hashed)
            if not keep_sessions:
                self._sessions.close_all_in(transaction, user.user_nid)

        self._writer.submit(change, user.user_nid)

    def set_admin(self, user_id: UserId, is_admin: bool) -> None:
        """Make somebody an administrator, or an ordinary user again. Raises: `NotFound`, `BadRequest` for guests."""
        user = self.get(user_id)
        if user.is_guest:
            raise BadRequest(f"{user_id} is a guest and cannot be an administrator.")
        self._set_flag(user, "is_admin", is_admin)

    def set_locked(self, user_id: UserId, is_locked: bool) -> None:
        """Lock somebody out, sessions kept, or let them in again. Raises: `NotFound`."""
        self._set_flag(self.get(user_id), "is_locked", is_locked)

    def set_suspended(self, user_id: UserId, is_suspended: bool) -> None:
        """Keep somebody from acting, or let them again. Raises: `NotFound`."""
        self._set_flag(self.get(user_id), "is_suspended", is_suspended)

    def deactivate(self, user_id: UserId, erase: bool = False) -> None:
        """End an account for good. Raises: `NotFound`."""
        self._deactivation.deactivate(user_id, erase)

    def _set_flag(self, user: User, flag: str, value: bool) -> None:
        self._writer.submit(
            lambda transaction: self._users.set_flag(transaction, user.user_nid, flag, value), user.user_nid
        )
