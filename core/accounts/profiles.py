"""Profiles: what users are called and look like, and whatever else they want to show.

Local profiles are kept here; those of other servers come from whoever implements `RemoteProfiles`. A change becomes a
PROFILE line of the log, which the part that keeps member events follows. Spec: Client-Server API, "Profiles".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson

from core.config.registration import RegistrationConfig
from core.errors import BadRequest, Forbidden, InvalidParam, NotFound
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import Requester, ServerName, UserId, UserNid, server_of
from core.storage.log import Kind, Line
from core.storage.profiles import ProfileStore
from core.storage.users import UserStore
from core.storage.writer import Transaction, Writer

MAX_PROFILE_BYTES = 65_536
"""Largest profile, as canonical JSON."""
MAX_KEY_BYTES = 255
MAX_KEPT = 20_000
"""Profiles kept in memory; the oldest tenth goes first."""

_KEY = re.compile(r"[a-z][a-z0-9_.-]*")
MAX_AVATAR_BYTES = 1_000
_TEXTS = frozenset({"displayname", "avatar_url", "m.tz"})
_REMOVED_BY_EMPTY = frozenset({"displayname", "avatar_url"})


class RemoteProfiles(Protocol):
    """Profiles of other servers' users; implemented by federation."""

    def profile(self, user_id: UserId, key: str | None = None) -> Mapping[str, Any]:
        """The profile, or one field of it. Raises: `NotFound`, `Forbidden`, `Unavailable`."""


class Avatars(Protocol):
    """Which images may be avatars; implemented by media."""

    def check(self, uri: str) -> None:
        """Raises: `Forbidden` for an mxc:// URI that leads to no such image."""


class Profiles:
    """Reads and changes profiles. Register `follow` with the log's tail."""

    followed = (Kind.PROFILE,)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        server_name: ServerName,
        users: UserStore,
        store: ProfileStore,
        writer: Writer,
        plugins: PluginManager,
        config: RegistrationConfig,
        remote: RemoteProfiles | None = None,
        avatars: Avatars | None = None,
    ) -> None:
        self.avatars = avatars
        """What avatars are held to, in rooms as well; None for no more than the form of an mxc:// URI."""
        self._server_name = server_name
        self._users = users
        self._store = store
        self._writer = writer
        self._plugins = plugins
        self._config = config
        self._remote = remote
        self._kept: dict[UserNid, dict[str, Any]] = {}
        self._changes = 0

    def get(self, user_id: UserId) -> Mapping[str, Any]:
        """All fields. Raises: `NotFound` for a user who does not exist; as `RemoteProfiles.profile`."""
        if server_of(user_id) == self._server_name:
            return self.of_local(self._nid(user_id))
        if self._remote is None:
            raise NotFound("Nothing is known of this user's profile.")
        return self._remote.profile(user_id)

    def get_field(self, user_id: UserId, key: str) -> Any:
        """The value of one field. Raises: `NotFound` where it is not set; as `get`."""
        _check_key(key)
        if server_of(user_id) == self._server_name or self._remote is None:
            profile = self.get(user_id)
        else:
            profile = self._remote.profile(user_id, key)
        if key not in profile:
            raise NotFound(f"This user's profile has no field {key}.")
        return profile[key]

    def of_local(self, user_nid: UserNid) -> Mapping[str, Any]:
        """All fields of a local account, from memory where they are known; for member events among others."""
        kept = self._kept.get(user_nid)
        if kept is None:
            changes = self._changes
            kept = self._store.find(user_nid)
            if changes == self._changes:
                if len(self._kept) >= MAX_KEPT:
                    for old in list(self._kept)[: MAX_KEPT // 10]:
                        del self._kept[old]
                self._kept[user_nid] = kept
        return kept

    def set_field(self, requester: Requester, user_id: UserId, key: str, value: Any) -> None:
        """Set one field of the caller's profile, or as an administrator of any local user's.

        Raises: `InvalidParam`, `BadRequest` (`M_KEY_TOO_LARGE`, `M_PROFILE_TOO_LARGE`), `Forbidden`, `NotFound`.
        """
        _check_key(key)
        self._check_may(requester, user_id, key)
        _check_value(key, value)
        if key == "avatar_url" and value and self.avatars is not None:
            self.avatars.check(value)
        self._change(requester, self._nid(user_id), user_id, key, value)

    def delete_field(self, requester: Requester, user_id: UserId, key: str) -> None:
        """Remove one field, set or not. Raises: as `set_field`."""
        _check_key(key)
        self._check_may(requester, user_id, key)
        self._change(requester, self._nid(user_id), user_id, key, "" if key in _REMOVED_BY_EMPTY else _REMOVE)

    def follow(self, lines: Iterable[Line]) -> None:
        """Drop profiles that changed."""
        for line in lines:
            if line.kind is Kind.PROFILE:
                self._changes += 1
                self._kept.pop(UserNid(line.subject), None)

    def _change(self, requester: Requester, user_nid: UserNid, user_id: UserId, key: str, value: Any) -> None:
        def change(transaction: Transaction) -> dict[str, Any] | None:
            before = self._store.read_in(transaction, user_nid)
            after = {name: old for name, old in before.items() if name != key}
            if value is not _REMOVE and not (value == "" and key in _REMOVED_BY_EMPTY):
                after[key] = value
            if after == before:
                return None
            if len(after) >= len(before) and len(orjson.dumps(after)) > MAX_PROFILE_BYTES:
                raise BadRequest(
                    f"The profile would be larger than {MAX_PROFILE_BYTES} bytes.", errcode="M_PROFILE_TOO_LARGE"
                )
            self._store.set(transaction, user_nid, after)
            return after

        after = self._writer.submit(change, user_nid)
        if after is not None:
            self._plugins.tell(
                observers.profile_updated,
                user_id=user_id,
                displayname=after.get("displayname"),
                avatar_url=after.get("avatar_url"),
                by_admin=requester.user_id != user_id,
            )

    def _check_may(self, requester: Requester, user_id: UserId, key: str) -> None:
        if requester.user_id != user_id and not requester.is_admin:
            raise Forbidden("You may change only your own profile.")
        if server_of(user_id) != self._server_name:
            raise Forbidden("This user belongs to another server.")
        if requester.is_guest and key != "displayname":
            raise Forbidden("Guests may change only their display name.", errcode="M_GUEST_ACCESS_FORBIDDEN")
        allowed = {
            "displayname": self._config.enable_set_displayname,
            "avatar_url": self._config.enable_set_avatar_url,
        }
        if not requester.is_admin and not allowed.get(key, True):
            raise Forbidden(f"This server does not let users change their {key}.")

    def _nid(self, user_id: UserId) -> UserNid:
        user = self._users.find(user_id)
        if user is None:
            raise NotFound("There is no such user.")
        return user.user_nid


class _Remove:
    """Stands for the absence of a value, as null is one."""


_REMOVE = _Remove()


def _check_key(key: str) -> None:
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise BadRequest(
            f"The name of a profile field must not be longer than {MAX_KEY_BYTES} bytes.", errcode="M_KEY_TOO_LARGE"
        )
    if _KEY.fullmatch(key) is None:
        raise InvalidParam(
            "The name of a profile field, such as org.example.job_title, begins with a letter from a to z "
            "and has only those letters, digits, '-', '_' and '.'."
        )


def _check_value(key: str, value: Any) -> None:
    if key in _TEXTS and not isinstance(value, str):
        raise InvalidParam(f"'{key}' must be a string.")
    if key == "avatar_url" and len(value.encode("utf-8", "surrogatepass")) > MAX_AVATAR_BYTES:
        raise InvalidParam(f"'avatar_url' must be a URI of at most {MAX_AVATAR_BYTES} bytes, or empty.")
