"""The queues of PDUs that other servers have sent."""

from core.storage.inbound_staging import SEQUENCE, StagedPdu
from core.storage.migrations.migrating import Migration, add_sequence, create_tables

MIGRATION = Migration(
    number=86,
    name="inbound_staging",
    previous_release_can_run=True,
    steps=(create_tables(StagedPdu), add_sequence(SEQUENCE)),
)
