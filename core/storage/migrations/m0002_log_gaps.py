"""The gaps that openings leave in the log's positions."""

from core.storage.log_gaps import LogGap
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(number=2, name="log_gaps", previous_release_can_run=True, steps=(create_tables(LogGap),))
