"""Events that are to be sent later."""

from core.storage.delayed_events import DelayedEventRecord
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(
    number=37,
    name="delayed_events",
    previous_release_can_run=True,
    steps=(create_tables(DelayedEventRecord),),
)
