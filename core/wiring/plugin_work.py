"""Work of plugins outside requests: `core.hooks.api.Work`, in a pool of limited size and under the guard."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.pool import Pool

from core.hooks.errors import PluginBusy, PluginFailed
from core.hooks.manager import PluginManager

MAX_TASKS = 100
"""So many tasks one plugin may have waiting or running."""
TASK_SECONDS = 60.0
"""A task is ended after this long."""


class PluginWork:
    """One plugin's tasks. They are lost on a restart."""

    def __init__(self, plugins: PluginManager, plugin: str) -> None:
        self._plugins = plugins
        self._plugin = plugin
        self._pool = Pool(MAX_TASKS)

    def spawn(self, name: str, function: Callable[[], None], *, after_seconds: float = 0) -> None:
        """Run `function` once, after so long. Raises PluginBusy where the plugin has too many tasks already."""
        if not self._pool.free_count():
            raise PluginBusy
        self._pool.spawn(self._run, name, function, after_seconds)

    def stop(self) -> None:
        """End what waits or runs."""
        self._pool.kill()

    def _run(self, name: str, function: Callable[[], None], after_seconds: float) -> None:
        gevent.sleep(after_seconds)
        try:
            self._plugins.run(self._plugin, f"work:{name}", TASK_SECONDS, function)
        except PluginFailed:  # counted and logged by the guard
            return
