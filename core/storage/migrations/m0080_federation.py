"""Other servers' keys, and which of them do not answer."""

from core.storage.destinations import DestinationRow
from core.storage.migrations.migrating import Migration, create_tables
from core.storage.server_keys import ServerKeyRow

MIGRATION = Migration(
    number=80,
    name="federation",
    previous_release_can_run=True,
    steps=(create_tables(ServerKeyRow, DestinationRow),),
)
