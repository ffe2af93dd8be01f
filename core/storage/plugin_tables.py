"""Tables of plugins: their migrations as the migrator runs them."""

from __future__ import annotations

from collections.abc import Sequence

from core.storage.migrations.migrating import Migration, run_sql


def plugin_migration(number: int, table_set: str, statements: Sequence[str]) -> Migration:
    """One step of a plugin's schema; its statements bear being run twice, as the plugin guide asks."""
    return Migration(number, table_set, previous_release_can_run=True, steps=(run_sql(*statements),))
