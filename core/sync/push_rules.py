"""Push rules in syncs: the account data `m.push_rules`, which is made and not stored."""

from __future__ import annotations

import orjson

from core.push.rules import PushRules
from core.storage.log import Kind, LogReader
from core.sync.asking import Asking
from core.sync.sections import Fields

TYPE = "m.push_rules"


class PushRulesSection:
    """The user's rules, whole, at first and whenever one changed."""

    def __init__(self, rules: PushRules, log: LogReader) -> None:
        self._rules = rules
        self._log = log

    def current(self, asking: Asking) -> Fields:
        """The rules."""
        if not asking.filter.account_data.matches(TYPE):
            return {}
        content = orjson.dumps(self._rules.content(asking.viewer.user_nid))
        return {"account_data": [b'{"content":%b,"type":"m.push_rules"}' % content]}

    def news(self, asking: Asking) -> Fields:
        """The rules, if one changed in the window."""
        window = asking.window
        if not window.has(Kind.PUSH_RULES):
            return {}
        changed = self._log.of_subject(Kind.PUSH_RULES, asking.viewer.user_nid, window.since, window.upto, 1)
        return self.current(asking) if changed else {}
