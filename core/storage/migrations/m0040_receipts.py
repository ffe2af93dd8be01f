"""Read receipts."""

from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.receipts import ReceiptRow

MIGRATION = Migration(
    number=40,
    name="receipts",
    previous_release_can_run=True,
    steps=(create_tables(ReceiptRow), add_sequence("receipts")),
)
