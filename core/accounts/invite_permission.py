"""Whose invites a user wants: read out of their account data, and kept until that changes.

`m.invite_permission_config` blocks all invites or none. Its forerunner (MSC4155) has lists of users and servers as well,
which some clients write, under the stable name too; both hold. Spec: Client-Server API, "Invite permission".
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from core.events.globs import whole_pattern
from core.ids import UserId, UserNid, server_of
from core.storage.account_data import AccountDataStore
from core.storage.log import Kind, Line

MAX_KEPT = 50_000
"""Of so many users it is kept in memory whose invites they want."""
MOST_PATTERNS = 1_000
"""So many entries of one list are read."""
_BLOCKS_ALL = ("m.invite_permission_config", "org.matrix.msc4380.invite_permission_config")
_LISTS = "org.matrix.msc4155.invite_permission_config"


class InviteVerdict(Enum):
    """What becomes of an invite."""

    ALLOW = "allow"
    IGNORE = "ignore"
    """It is accepted, and the user never hears of it."""
    BLOCK = "block"
    """Whoever sends it is told that the user wants none."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Patterns of users or servers, and what is done about them."""

    is_for_servers: bool
    pattern: re.Pattern[str]
    verdict: InviteVerdict


_Rules = tuple[_Rule, ...]
_ORDER = (
    ("allowed_users", InviteVerdict.ALLOW),
    ("ignored_users", InviteVerdict.IGNORE),
    ("blocked_users", InviteVerdict.BLOCK),
    ("allowed_servers", InviteVerdict.ALLOW),
    ("ignored_servers", InviteVerdict.IGNORE),
    ("blocked_servers", InviteVerdict.BLOCK),
)
_EVERYBODY = _Rule(False, re.compile(".*", re.DOTALL), InviteVerdict.BLOCK)


class InvitePermissions:
    """Answers whose invites a local user wants. `follow` must be given to the log's tail."""

    followed = (Kind.ACCOUNT_DATA,)
    """The kinds of lines it hears of."""

    def __init__(self, store: AccountDataStore) -> None:
        self._store = store
        self._kept: OrderedDict[UserNid, _Rules] = OrderedDict()
        self._changes = 0

    def verdict(self, invited: UserNid, inviter: UserId) -> InviteVerdict:
        """What becomes of an invite by `inviter`."""
        for rule in self._rules(invited):
            if rule.pattern.match(server_of(inviter) if rule.is_for_servers else inviter):
                return rule.verdict
        return InviteVerdict.ALLOW

    def hides(self, invited: UserNid, inviter: UserId) -> bool:
        """Whether an invite that is there already must not be told to the user's clients."""
        return self.verdict(invited, inviter) is not InviteVerdict.ALLOW

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: forget what has changed."""
        for line in lines:
            if line.kind is Kind.ACCOUNT_DATA:
                self._changes += 1
                self._kept.pop(UserNid(line.subject), None)

    def _rules(self, user: UserNid) -> _Rules:
        found = self._kept.get(user)
        if found is not None:
            return found
        changes = self._changes
        contents = {kind: self._content(user, kind) for kind in (*_BLOCKS_ALL, _LISTS)}
        if any(contents[kind].get("default_action") == "block" for kind in _BLOCKS_ALL):
            found = (_EVERYBODY,)
        else:
            found = _read_lists(contents[_LISTS] or contents[_BLOCKS_ALL[0]])
        if changes == self._changes:
            self._kept[user] = found
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def _content(self, user: UserNid, kind: str) -> Mapping[str, Any]:
        content = self._store.find(user, kind)
        parsed = {} if content is None else orjson.loads(content)
        return parsed if isinstance(parsed, dict) else {}


def _read_lists(content: Mapping[str, Any]) -> _Rules:
    if content.get("enabled", True) is not True:
        return ()
    rules = []
    for key, verdict in _ORDER:
        listed = content.get(key)
        patterns = [one for one in listed if isinstance(one, str)][:MOST_PATTERNS] if isinstance(listed, list) else []
        if patterns:
            together = "|".join(f"(?:{whole_pattern(one)})" for one in patterns)
            rules.append(_Rule(key.endswith("servers"), re.compile(together, re.DOTALL), verdict))
    return tuple(rules)
