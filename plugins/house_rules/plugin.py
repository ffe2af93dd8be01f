"""Judges invites, aliases and publications by the rules of the configuration.

Each list of rules is read from its start: the first rule that matches decides, and where none does the answer is no.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from core.hooks import Event, PluginApi, PluginError, Reject, RoomAlias, RoomId, RoomView, UserId, hookimpl

_KEYS: Final = ("user_id", "alias", "room_id")
_ACTIONS: Final = ("allow", "deny")
_SETTINGS: Final = ("alias_creation_rules", "room_list_publication_rules", "block_non_admin_invites")


@dataclass(frozen=True, slots=True)
class Rule:
    """Globs, in which `*` and `?` stand for anything, and whether what they match is allowed."""

    user_id: str
    alias: str
    room_id: str
    is_allowed: bool

    def matches(self, user_id: str, room_id: str, aliases: Collection[str]) -> bool:
        """Whether it is about this user, this room, and one of these aliases."""
        if not fnmatchcase(user_id, self.user_id) or not fnmatchcase(room_id, self.room_id):
            return False
        return self.alias == "*" or any(fnmatchcase(alias, self.alias) for alias in aliases)


Rules = Sequence[Rule] | None
"""None allows everything."""


class HouseRules:
    """The plugin."""

    def __init__(self, config: Mapping[str, Any], api: PluginApi) -> None:
        for key in config:
            if key not in _SETTINGS:
                raise PluginError(f"house_rules has no setting {key}; there are {', '.join(_SETTINGS)}.")
        self._api = api
        self._aliases = _rules("alias_creation_rules", config)
        self._publications = _rules("room_list_publication_rules", config)
        self._only_admins_invite = config.get("block_non_admin_invites", False)
        if not isinstance(self._only_admins_invite, bool):
            raise PluginError("block_non_admin_invites must be true or false.")

    @hookimpl
    def user_may_invite(self, inviter: UserId, event: Event | None) -> Reject | None:
        """Local users invite only where they may; what other servers send is not for these rules."""
        if self._only_admins_invite and event is None and not self._api.users.is_admin(inviter):
            return Reject("M_FORBIDDEN", "Only administrators of this server may invite.")
        return None

    @hookimpl
    def user_may_create_alias(self, user_id: UserId, alias: RoomAlias, room_id: RoomId | None) -> Reject | None:
        """An alias needs a rule that allows it."""
        if _is_allowed(self._aliases, user_id, room_id or "", (alias,)):
            return None
        return Reject("M_FORBIDDEN", f"This server does not allow you to make the alias {alias}.")

    @hookimpl
    def user_may_publish(
        self, user_id: UserId, room_id: RoomId, room: RoomView | None, is_public: bool
    ) -> Reject | None:
        """A publication needs a rule that allows it; taking a room off the list needs none."""
        if not is_public or _is_allowed(self._publications, user_id, room_id, _aliases_of(room)):
            return None
        return Reject("M_FORBIDDEN", "This server does not allow you to publish this room.")


def _is_allowed(rules: Rules, user_id: str, room_id: str, aliases: Collection[str]) -> bool:
    if rules is None:
        return True
    return next((rule.is_allowed for rule in rules if rule.matches(user_id, room_id, aliases)), False)


def _aliases_of(room: RoomView | None) -> list[str]:
    event = None if room is None else room.state_event("m.room.canonical_alias")
    if event is None:
        return []
    others = event.content.get("alt_aliases")
    listed = [event.content.get("alias"), *(others if isinstance(others, list) else ())]
    return [alias for alias in listed if isinstance(alias, str)]


def _rules(name: str, config: Mapping[str, Any]) -> Rules:
    listed = config.get(name)
    return None if listed is None else [_rule(name, given) for given in listed]


def _rule(name: str, given: Mapping[str, Any]) -> Rule:
    unknown = [key for key in given if key not in (*_KEYS, "action")]
    if unknown or not all(isinstance(value, str) for value in given.values()):
        raise PluginError(f"{name} holds rules with the keys {', '.join(_KEYS)} and action, each a text.")
    action = given.get("action", "allow")
    if action not in _ACTIONS:
        raise PluginError(f"A rule of {name} has the action {action!r}; it must be allow or deny.")
    user_id, alias, room_id = (given.get(key, "*") for key in _KEYS)
    return Rule(user_id, alias, room_id, action == "allow")
