"""Which events of other servers' users are ours to send."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.outbound_relays import OutboundRelay

MIGRATION = Migration(
    number=85,
    name="outbound_relays",
    previous_release_can_run=True,
    steps=(create_tables(OutboundRelay),),
)
