"""What unread counts are made of."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.notification_counts import NotifiedEvent, UnreadMark, UserNotification

MIGRATION = Migration(
    number=61,
    name="notification_counts",
    previous_release_can_run=True,
    steps=(create_tables(NotifiedEvent, UserNotification, UnreadMark),),
)
