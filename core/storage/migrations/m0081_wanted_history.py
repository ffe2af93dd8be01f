"""Rooms whose history is still to be fetched."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.wanted_history import WantedHistory

MIGRATION = Migration(
    number=81,
    name="wanted_history",
    previous_release_can_run=True,
    steps=(create_tables(WantedHistory),),
)
