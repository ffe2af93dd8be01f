"""How far other servers have been told of events."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.outbound_destinations import OutboundDestination

MIGRATION = Migration(
    number=87,
    name="outbound_destinations",
    previous_release_can_run=True,
    steps=(create_tables(OutboundDestination),),
)
