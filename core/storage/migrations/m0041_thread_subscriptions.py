"""Which threads users want to hear of."""

from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.thread_subscriptions import ThreadSubscriptionRow

MIGRATION = Migration(
    number=41,
    name="thread_subscriptions",
    previous_release_can_run=True,
    steps=(create_tables(ThreadSubscriptionRow), add_sequence("thread_subscriptions")),
)
