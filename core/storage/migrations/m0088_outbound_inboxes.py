"""To-device messages for other servers."""

from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.outbound_inboxes import SEQUENCE, OutboundMessage

MIGRATION = Migration(
    number=88,
    name="outbound_inboxes",
    previous_release_can_run=True,
    steps=(create_tables(OutboundMessage), add_sequence(SEQUENCE)),
)
