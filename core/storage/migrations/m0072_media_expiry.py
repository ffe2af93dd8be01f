"""An index by which media that expires is found."""

from core.storage.media import MediaRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(number=72, name="media expiry", previous_release_can_run=True, steps=(create_tables(MediaRow),))
