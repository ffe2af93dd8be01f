"""Accounts and profiles as plugins reach them: `core.hooks.api.Users` over the services of accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from core.accounts.account_data import AccountData
from core.accounts.profiles import Profiles
from core.accounts.registration import NewAccount, Registration
from core.accounts.threepids import Threepids
from core.errors import NotFound, Unavailable
from core.graph.graph import Graph
from core.hooks.api import Profile
from core.ids import Requester, ServerName, UserId, UserNid, server_of
from core.storage.account_data import AccountDataStore
from core.storage.users import User, UserStore

_FACE = frozenset({"displayname", "avatar_url"})


class Addresses(Protocol):
    """The addresses bound to accounts; implemented by accounts where the server has them."""

    def pairs_of(self, user_nid: UserNid) -> Sequence[tuple[str, str]]:
        """The (medium, address) pairs of an account."""

    def bind(self, user_id: UserId, user_nid: UserNid, medium: str, address: str) -> None:
        """Bind a validated address. Raises MatrixError with M_THREEPID_IN_USE."""


class PluginAddresses:
    """The addresses of accounts. Implements Addresses."""

    def __init__(self, threepids: Threepids) -> None:
        self._threepids = threepids

    def pairs_of(self, user_nid: UserNid) -> Sequence[tuple[str, str]]:
        """The (medium, address) pairs of an account."""
        return [(one.medium, one.address) for one in self._threepids.of_user(user_nid)]

    def bind(self, user_id: UserId, user_nid: UserNid, medium: str, address: str) -> None:
        """Bind an address that the plugin has validated just now. Raises MatrixError with M_THREEPID_IN_USE."""
        self._threepids.bind(user_id, user_nid, medium, address)


class PluginUsers:
    """Accounts of this server, and profiles of any. Without `addresses` accounts have none."""

    def __init__(
        self,
        graph: Graph,
        users: UserStore,
        profiles: Profiles,
        registration: Registration,
        account_data: AccountData,
        account_data_store: AccountDataStore,
        server_name: ServerName,
        addresses: Addresses | None = None,
    ) -> None:
        self._graph = graph
        self._users = users
        self._profiles = profiles
        self._registration = registration
        self._account_data = account_data
        self._account_data_store = account_data_store
        self._server_name = server_name
        self._addresses = addresses

    def exists(self, user_id: UserId) -> bool:
        """Whether this is a local account, deactivated ones included."""
        return self._users.find(user_id) is not None

    def is_admin(self, user_id: UserId) -> bool:
        """Whether this is a local account that administers the server."""
        user = self._users.find(user_id)
        return user is not None and user.is_admin and not user.is_deactivated

    def is_locked(self, user_id: UserId) -> bool:
        """Whether this is a local account that an administrator has locked."""
        user = self._users.find(user_id)
        return user is not None and user.is_locked and not user.is_deactivated

    def create(self, localpart: str, displayname: str | None = None) -> UserId:
        """Make an account without a password. Raises MatrixError with M_USER_IN_USE or M_INVALID_USERNAME."""
        self._registration.check_name(localpart)
        user, _ = self._registration.create(NewAccount(localpart, displayname=displayname))
        return user.user_id

    def profile(self, user_id: UserId) -> Profile | None:
        """A local user's profile, or what the member events of a remote one say; None if nothing is known."""
        if server_of(user_id) == self._server_name:
            user = self._users.find(user_id)
            return None if user is None else _profile(self._profiles.of_local(user.user_nid))
        user_nid = self._graph.texts.find(user_id)
        for membership in () if user_nid is None else self._graph.memberships.rooms_of(UserNid(user_nid)):
            event = self._graph.states.current(membership.room_nid).event("m.room.member", user_id)
            if event is not None:
                return _profile({key: value for key, value in event.content.items() if key in _FACE})
        return None

    def set_profile(self, user_id: UserId, *, displayname: str | None = None, avatar_url: str | None = None) -> None:
        """Change fields of a local user's profile; None leaves a field alone, '' removes it.

        Raises NotFound for an account that does not exist, InvalidParam for an `avatar_url` that is no mxc:// URI.
        """
        user = self._get(user_id)
        requester = Requester(user_id, user.user_nid, None, 0, is_admin=True)  # what users may not set, plugins may
        for key, value in (("displayname", displayname), ("avatar_url", avatar_url)):
            if value is not None:
                self._profiles.set_field(requester, user_id, key, value)

    def threepids(self, user_id: UserId) -> Sequence[tuple[str, str]]:
        """The (medium, address) pairs bound to a local account. Raises NotFound."""
        user = self._get(user_id)
        return [] if self._addresses is None else self._addresses.pairs_of(user.user_nid)

    def add_threepid(self, user_id: UserId, medium: str, address: str) -> None:
        """Bind a validated address to a local account. Raises MatrixError with M_THREEPID_IN_USE, NotFound."""
        user = self._get(user_id)
        if self._addresses is None:
            raise Unavailable("This server keeps no addresses of accounts.")
        self._addresses.bind(user_id, user.user_nid, medium, address)

    def account_data(self, user_id: UserId, type: str) -> Mapping[str, Any] | None:
        """A local user's global account data of one type, None where there is none. Raises NotFound."""
        content = self._account_data_store.find(self._get(user_id).user_nid, type)
        found: Mapping[str, Any] | None = None if content is None else orjson.loads(content)
        return found

    def set_account_data(self, user_id: UserId, type: str, content: Mapping[str, Any]) -> None:
        """Replace a local user's global account data of one type. Raises NotFound, InvalidParam, TooLarge."""
        self._account_data.set_for(self._get(user_id).user_nid, user_id, type, content)

    def _get(self, user_id: UserId) -> User:
        user = self._users.find(user_id)
        if user is None:
            raise NotFound(f"There is no account {user_id} on this server.")
        return user


def _profile(fields: Mapping[str, Any]) -> Profile:
    name, avatar = fields.get("displayname"), fields.get("avatar_url")
    return Profile(
        name if isinstance(name, str) else None,
        avatar if isinstance(avatar, str) else None,
        {key: value for key, value in fields.items() if key not in _FACE},
    )
