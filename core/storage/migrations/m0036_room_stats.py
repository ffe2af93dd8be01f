"""What the room directory says of rooms."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.room_stats import RoomStatsRow

MIGRATION = Migration(number=36, name="room stats", previous_release_can_run=True, steps=(create_tables(RoomStatsRow),))
