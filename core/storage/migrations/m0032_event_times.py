"""An index by which the events of a time are found."""

from core.storage.events import EventRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(number=32, name="event times", previous_release_can_run=True, steps=(create_tables(EventRow),))
