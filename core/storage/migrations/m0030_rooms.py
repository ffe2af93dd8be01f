"""What rooms are called and where they are listed."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.room_aliases import PublishedRoom, RoomAliasRow

MIGRATION = Migration(
    number=30, name="rooms", previous_release_can_run=True, steps=(create_tables(RoomAliasRow, PublishedRoom),)
)
