"""Media and the files behind it."""

from core.storage.media import MediaRow
from core.storage.media_files import DoomedFileRow, FileRow, ThumbnailRow
from core.storage.migrations.migrating import Migration, add_sequence, create_tables

MIGRATION = Migration(
    number=70,
    name="media",
    previous_release_can_run=True,
    steps=(create_tables(MediaRow, FileRow, ThumbnailRow, DoomedFileRow), add_sequence("media")),
)
