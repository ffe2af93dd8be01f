"""EDUs of types that plugins understand: whoever takes transactions of other servers in hands them over here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.hooks.declarations import Edu
from core.hooks.errors import PluginError, PluginFailed
from core.hooks.manager import Contribution, PluginManager
from core.ids import ServerName

RECEIVE_SECONDS = 10.0
"""How long a plugin may take for one EDU."""


class ContributedEdus:
    """The types that plugins contributed."""

    def __init__(
        self, plugins: PluginManager, contributions: Sequence[Contribution[Edu]], taken: Collection[str] = ()
    ) -> None:
        """`taken` are the types that the server itself handles. Raises PluginError for a plugin that wants one."""
        for one in contributions:
            if one.item.type in taken:
                raise PluginError(
                    f"The plugin {one.plugin} takes EDUs of type {one.item.type}, which the server handles."
                )
        self._plugins = plugins
        self._by_type = {one.item.type: one for one in contributions}

    @property
    def types(self) -> frozenset[str]:
        """The types that are understood."""
        return frozenset(self._by_type)

    def receive(self, origin: ServerName, type: str, content: Mapping[str, Any]) -> bool:
        """Hand an EDU of an authenticated origin over; False where no plugin wants it or the plugin failed."""
        one = self._by_type.get(type)
        if one is None:
            return False
        try:
            self._plugins.run(one.plugin, f"edu:{type}", RECEIVE_SECONDS, one.item.receive, origin, content)
        except PluginFailed:  # counted and logged by the guard
            return False
        return True
