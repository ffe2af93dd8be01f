"""Making accounts: the checks a name must pass, and the one transaction that makes account, profile and session.

Who may ask for an account (open registration, a token, the shared secret, an administrator) is decided by callers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.secrets import new_guest_localpart, new_localpart
from core.accounts.sessions import DeviceRequest, Session, Sessions
from core.accounts.usernames import InvalidUsername, UserInUse, check_localpart
from core.errors import BadRequest, Forbidden, InvalidParam
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.hooks.verdicts import Reject
from core.ids import ServerName, UserId, UserNid
from core.storage.interning import Interner
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationTokenStore
from core.storage.users import User, UserStore
from core.storage.writer import Transaction, Writer


class Namespaces(Protocol):
    """What application services have claimed; implemented by appservices."""

    def owner_of(self, user_id: UserId) -> str | None:
        """The application service whose exclusive namespace the user id is in, or None."""


_KINDS = ("support", "bot")
"""User types that every server has."""

Also = Callable[[Transaction, UserNid], None]
"""What else is written in the transaction that makes an account; what it raises undoes the account."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is to be. `session` None makes none; `registration_token` is spent with it."""

    localpart: str
    password_hash: str | None = None
    displayname: str | None = None
    is_admin: bool = False
    is_guest: bool = False
    user_type: str | None = None
    appservice_id: str | None = None
    session: DeviceRequest | None = None
    registration_token: str | None = None


@dataclass(frozen=True, slots=True)
class UserKinds:
    """Which user types there are, and that of an account for which none was named. Setting `user_types`."""

    extra: tuple[str, ...] = ()
    usual: str | None = None

    def of(self, account: NewAccount) -> str | None:
        """The type of a new account; guests and bridged users have the usual one only if it was named."""
        wanted = account.user_type
        if wanted is None:
            return None if account.is_guest or account.appservice_id is not None else self.usual
        known = dict.fromkeys((*_KINDS, *self.extra, *((self.usual,) if self.usual else ())))
        if wanted not in known:
            raise InvalidParam(f"There is no user type {wanted!r}; it must be one of {', '.join(known)}.")
        return wanted


class Registration:
    """Makes accounts."""

    def __init__(
        self,
        server_name: ServerName,
        users: UserStore,
        profiles: ProfileStore,
        tokens: RegistrationTokenStore,
        sessions: Sessions,
        interner: Interner,
        writer: Writer,
        plugins: PluginManager,
        namespaces: Namespaces | None = None,
        reserved: frozenset[str] = frozenset(),
        kinds: UserKinds | None = None,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._server_name = server_name
        self._users = users
        self._profiles = profiles
        self._tokens = tokens
        self._sessions = sessions
        self._interner = interner
        self._writer = writer
        self._plugins = plugins
        self._namespaces = namespaces
        self._reserved = reserved
        self._kinds = kinds or UserKinds()
        self._now_ms = now_ms

    def check_name(
        self, localpart: str, appservice_id: str | None = None, is_guest: bool = False, may_exist: bool = False
    ) -> UserId:
        """The user id of an account that may be made under this name.

        Raises: `InvalidUsername`, `UserInUse` (unless `may_exist`), `BadRequest` with `M_EXCLUSIVE` or what a plugin
        says. Spec: `GET /register/available`.
        """
        user_id = check_localpart(localpart, self._server_name, is_guest, appservice_id is not None)
        if localpart in self._reserved:
            raise InvalidUsername("This user name is kept for the server itself.")
        owner = None if self._namespaces is None else self._namespaces.owner_of(user_id)
        if owner is not None and owner != appservice_id:
            raise BadRequest("This user name is kept for an application service.", errcode="M_EXCLUSIVE")
        verdict = self._plugins.judge(permissions.check_username, localpart=localpart, is_guest=is_guest)
        if isinstance(verdict, Reject):
            raise BadRequest(verdict.reason, errcode=verdict.errcode, **verdict.fields)
        if not may_exist and self._users.find(user_id) is not None:
            raise UserInUse("This user name is taken.")
        return user_id

    def check_allowed(self, localpart: str, threepids: Sequence[tuple[str, str]], ip: str, user_agent: str) -> None:
        """Ask plugins about a registration after its authentication. Raises: `Forbidden`."""
        self._plugins.require(
            permissions.check_registration, localpart=localpart, threepids=threepids, ip=ip, user_agent=user_agent
        )

    def create(self, account: NewAccount, also: Also | None = None) -> tuple[User, Session | None]:
        """Make an account whose name passed `check_name`.

        Raises: `UserInUse` where somebody was faster, `Forbidden` where the registration token is spent, `InvalidParam`
        for a kind of user that there is not.
        """
        account = replace(account, user_type=self._kinds.of(account))
        user_id = UserId(f"@{account.localpart}:{self._server_name}")
        made = self._writer.submit(lambda transaction: self._create_in(transaction, account, user_id, also))
        self._plugins.tell(observers.user_registered, user_id=user_id, is_guest=account.is_guest)
        return made

    def create_guest(self, wanted: DeviceRequest) -> tuple[User, Session]:
        """Make a guest account with a session."""
        while True:
            localpart = new_guest_localpart()
            try:
                self.check_name(localpart, is_guest=True)
                user, session = self.create(NewAccount(localpart, is_guest=True, session=wanted))
            except UserInUse:
                continue
            assert session is not None, "a session was asked for"
            return user, session

    def free_localpart(self) -> str:
        """A name for somebody who named none."""
        while True:
            localpart = new_localpart()
            try:
                self.check_name(localpart)
            except UserInUse:
                continue
            return localpart

    def upgrade_guest(
        self, guest: User, password_hash: str | None, wanted: DeviceRequest | None, also: Also | None = None
    ) -> Session | None:
        """Make a guest's account an ordinary one under its name. Spec: "Guest Access"."""

        def upgrade(transaction: Transaction) -> Session | None:
            self._users.set_flag(transaction, guest.user_nid, "is_guest", False)
            self._users.set_password_hash(transaction, guest.user_nid, password_hash)
            if also is not None:
                also(transaction, guest.user_nid)
            return None if wanted is None else self._sessions.open_in(transaction, guest.user_nid, wanted)

        return self._writer.submit(upgrade, guest.user_nid)

    def _create_in(
        self,
        transaction: Transaction,
        account: NewAccount,
        user_id: UserId,
        also: Also | None = None,
    ) -> tuple[User, Session | None]:
        if self._users.exists_in(transaction, user_id):
            raise UserInUse("This user name is taken.")
        now_ms = self._now_ms()
        token = account.registration_token
        if token is not None and not self._tokens.spend(transaction, token, now_ms):
            raise Forbidden("This registration token is not valid any more.")
        user_nid = UserNid(self._interner.nid_in(transaction, user_id))
        user = User(
            user_nid,
            user_id,
            now_ms,
            is_admin=account.is_admin,
            is_guest=account.is_guest,
            user_type=account.user_type,
            appservice_id=account.appservice_id,
        )
        self._users.add(transaction, user, account.password_hash)
        if also is not None:
            also(transaction, user_nid)
        displayname = account.displayname if account.displayname is not None else account.localpart
        if displayname and not account.is_guest:
            self._profiles.set(transaction, user_nid, {"displayname": displayname})
        if account.session is None:
            return user, None
        return user, self._sessions.open_in(transaction, user_nid, account.session)
