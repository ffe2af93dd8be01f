"""Rooms that all local users have forgotten."""

from core.storage.abandoned_rooms import AbandonedRoomRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(
    number=33,
    name="abandoned_rooms",
    previous_release_can_run=True,
    steps=(create_tables(AbandonedRoomRow),),
)
