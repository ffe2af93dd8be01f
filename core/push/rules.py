"""Push rules of local users: kept as differences from the defaults, shown whole, compiled once for each distinct set.

Spec: Client-Server API, "Push Rules".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from core.errors import NotFound, TooLarge
from core.events.push_rules import CompiledRules, RuleChanges, compile_ruleset, merged_ruleset
from core.ids import RoomNid, UserId, UserNid
from core.push.rule_changes import (
    Beside,
    carry_to_room,
    delete_rule,
    dump_changes,
    load_changes,
    put_rule,
    set_actions,
    set_enabled,
)
from core.storage.interning import Interner
from core.storage.log import Kind, Line
from core.storage.push_rules import PushRuleStore
from core.storage.transaction import Transaction
from core.storage.writer import Writer

MAX_STORED_BYTES = 1_048_576
"""Largest set of changes one user may have, as JSON."""
MAX_COMPILED = 5_000
"""Of so many distinct rule sets the compiled form is kept."""
MAX_KEPT = 50_000
"""Of so many users it is kept which rule set is theirs."""

Rules = dict[str, list[dict[str, Any]]]


class PushRules:
    """Reads and changes rules. `follow` must be given to the log's tail."""

    followed = (Kind.PUSH_RULES,)
    """The kinds of lines it hears of."""

    def __init__(self, store: PushRuleStore, writer: Writer, texts: Interner) -> None:
        self._store = store
        self._writer = writer
        self._texts = texts
        self._compiled: OrderedDict[bytes, CompiledRules] = OrderedDict()
        self._kept: OrderedDict[UserNid, bytes] = OrderedDict()
        self._changes = 0
        self.default = compile_ruleset(merged_ruleset(RuleChanges()))
        """The default rules, compiled."""

    def of(self, user_nid: UserNid, user_id: UserId) -> Rules:
        """A user's rules by kind, each kind in order of priority."""
        return merged_ruleset(load_changes(self._store.find(user_nid)), user_id)

    def content(self, user_nid: UserNid) -> Mapping[str, Any]:
        """The content of the account data `m.push_rules`."""
        return {"global": self.of(user_nid, UserId(self._texts.text(user_nid)))}

    def rule(self, user_nid: UserNid, user_id: UserId, kind: str, rule_id: str) -> dict[str, Any]:
        """One rule. Raises: NotFound."""
        for rule in self.of(user_nid, user_id)[kind]:
            if rule["rule_id"] == rule_id:
                return rule
        raise NotFound(f"There is no {kind} rule {rule_id!r}.")

    def put(self, user_nid: UserNid, kind: str, rule: dict[str, Any], beside: Beside | None) -> None:
        """Add or replace a rule of the user's own. Raises: BadRequest, InvalidParam, TooLarge."""
        self._change(user_nid, lambda changes: put_rule(changes, kind, rule, beside))

    def delete(self, user_nid: UserNid, kind: str, rule_id: str) -> None:
        """Take a rule of the user's own away. Raises: NotFound."""
        self._change(user_nid, lambda changes: delete_rule(changes, kind, rule_id))

    def set_enabled(self, user_nid: UserNid, kind: str, rule_id: str, enabled: bool) -> None:
        """Switch a rule on or off. Raises: NotFound."""
        self._change(user_nid, lambda changes: set_enabled(changes, kind, rule_id, enabled))

    def set_actions(self, user_nid: UserNid, kind: str, rule_id: str, actions: Sequence[Any]) -> None:
        """Give a rule other actions. Raises: NotFound, TooLarge."""
        self._change(user_nid, lambda changes: set_actions(changes, kind, rule_id, actions))

    def carry_to_room(self, user_nid: UserNid, old_room: str, new_room: str) -> None:
        """Copy what the user's rules say of a room to the room that replaces it."""
        if self._store.find(user_nid) is not None:
            self._change(user_nid, lambda changes: carry_to_room(changes, old_room, new_room))

    def groups_in(self, room: RoomNid) -> dict[bytes, list[UserNid]]:
        """Who of a room's members has which rule set, by its key for `compiled`; those on the defaults left out."""
        groups: dict[bytes, list[UserNid]] = {}
        users = self._store.in_room(room)
        for user, key in self.keys_of(users).items():
            if key:
                groups.setdefault(key, []).append(user)
        return groups

    def keys_of(self, users: Collection[UserNid]) -> dict[UserNid, bytes]:
        """The key of each user's rule set, for `compiled`; b'' is that of the defaults."""
        found = {user: key for user in users if (key := self._kept.get(user)) is not None}
        missing = [user for user in users if user not in found]
        if missing:
            changes = self._changes
            stored = self._store.of_users(missing)
            for user in missing:
                found[user] = stored.get(user, b"")
                if changes == self._changes:  # what was read while something changed may be old
                    self._kept[user] = found[user]
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def compiled(self, key: bytes) -> CompiledRules:
        """A rule set by its key."""
        if not key:
            return self.default
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = compile_ruleset(merged_ruleset(load_changes(key)))
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        return found

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: forget what has changed."""
        for line in lines:
            if line.kind is Kind.PUSH_RULES:
                self._changes += 1
                self._kept.pop(UserNid(line.subject), None)

    def _change(self, user_nid: UserNid, change: Callable[[RuleChanges], RuleChanges]) -> None:
        def write(transaction: Transaction) -> None:
            before = self._store.find_in(transaction, user_nid)
            after = dump_changes(change(load_changes(before)))
            if after is not None and len(after) > MAX_STORED_BYTES:
                raise TooLarge(f"All your push rules together may take {MAX_STORED_BYTES} bytes.")
            if after != before:
                self._store.set(transaction, user_nid, after)

        self._writer.submit(write, user_nid)
