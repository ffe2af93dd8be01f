"""The commands of `hsctl user`: arguments that JSON can carry in, results that it can carry out.

A running server and `hsctl` alone with the database run the same functions, so both print the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.accounts.administration import Administration
from core.accounts.usernames import typed_user_id
from core.ids import ServerName, UserId
from core.storage.devices import DeviceStore
from core.storage.profiles import ProfileStore
from core.storage.threepids import ThreepidStore
from core.storage.users import User, UserStore

PAGE = 500


class UserCommands:
    """What administrators do to accounts from the command line."""

    def __init__(
        self,
        server_name: ServerName,
        users: UserStore,
        profiles: ProfileStore,
        devices: DeviceStore,
        threepids: ThreepidStore,
        administration: Administration,
    ) -> None:
        self._server_name = server_name
        self._users = users
        self._profiles = profiles
        self._devices = devices
        self._threepids = threepids
        self._administration = administration

    def commands(self) -> Mapping[str, Callable[..., Any]]:
        """The functions by command name."""
        return {
            "user create": self.create,
            "user reset-password": self.reset_password,
            "user list": self.listed,
            "user show": self.show,
            "user deactivate": self.deactivate,
            "user promote": self.promote,
            "user lock": self.lock,
            "user suspend": self.suspend,
        }

    def create(self, user: str, password: str, displayname: str | None = None, is_admin: bool = False) -> str:
        """Make an account."""
        localpart = user.removeprefix("@").removesuffix(f":{self._server_name}") if "@" in user else user
        made = self._administration.create(localpart, password, displayname, is_admin)
        return f"{made.user_id} is made{', an administrator' if is_admin else ''}."

    def reset_password(self, user: str, password: str, keep_sessions: bool = False) -> str:
        """Set a new password."""
        user_id = self._id(user)
        self._administration.reset_password(user_id, password, keep_sessions)
        kept = "sessions are kept" if keep_sessions else "all sessions are logged out"
        return f"{user_id} has a new password; {kept}."

    def listed(self, after: str = "", guests: bool = False) -> list[dict[str, Any]]:
        """One page of accounts, with the line to print for each; the next one comes after the last user id."""
        return [
            {"user_id": user.user_id, "is_deactivated": user.is_deactivated, "line": _line(user)}
            for user in self._users.listed(after, PAGE, guests)
        ]

    def show(self, user: str) -> dict[str, Any]:
        """All about one account."""
        found = self._administration.get(self._id(user))
        return {
            "user_id": found.user_id,
            "created": _time(found.created_ms),
            "standing": _standing(found),
            "user_type": found.user_type,
            "appservice_id": found.appservice_id,
            "profile": self._profiles.find(found.user_nid),
            "addresses": [f"{one.medium}: {one.address}" for one in self._threepids.of_user(found.user_nid)],
            "devices": [
                {
                    "device_id": device.device_id,
                    "display_name": device.display_name,
                    "last_seen": None if device.last_seen_ms is None else _time(device.last_seen_ms),
                    "last_seen_ip": device.last_seen_ip,
                }
                for device in self._devices.of_user(found.user_nid)
            ],
        }

    def deactivate(self, user: str, erase: bool = False) -> str:
        """End an account."""
        user_id = self._id(user)
        self._administration.deactivate(user_id, erase)
        return f"{user_id} is deactivated; the name stays taken."

    def promote(self, user: str, revoke: bool = False) -> str:
        """Make an administrator, or an ordinary user again."""
        user_id = self._id(user)
        self._administration.set_admin(user_id, not revoke)
        return f"{user_id} is {'an ordinary user' if revoke else 'an administrator'} now."

    def lock(self, user: str, undo: bool = False) -> str:
        """Lock an account out, or let it in again."""
        user_id = self._id(user)
        self._administration.set_locked(user_id, not undo)
        return f"{user_id} is {'no longer locked' if undo else 'locked'}."

    def suspend(self, user: str, undo: bool = False) -> str:
        """Suspend an account, or let it act again."""
        user_id = self._id(user)
        self._administration.set_suspended(user_id, not undo)
        return f"{user_id} is {'no longer suspended' if undo else 'suspended'}."

    def _id(self, typed: str) -> UserId:
        return typed_user_id(typed, self._server_name)


def _line(user: User) -> str:
    standing = _standing(user)
    return f"{user.user_id}  {_time(user.created_ms)}{'  ' + ', '.join(standing) if standing else ''}"


def _standing(user: User) -> list[str]:
    flags = {
        "administrator": user.is_admin,
        "guest": user.is_guest,
        "deactivated": user.is_deactivated,
        "erased": user.is_erased,
        "locked": user.is_locked,
        "suspended": user.is_suspended,
        "shadow-banned": user.is_shadow_banned,
    }
    return [name for name, is_set in flags.items() if is_set]


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
