"""What refers to media."""

from core.storage.media_references import MediaReferenceRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(
    number=71, name="media_references", previous_release_can_run=True, steps=(create_tables(MediaReferenceRow),)
)
