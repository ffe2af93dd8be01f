"""Account data and stored filters."""

from core.storage.account_data import AccountDataRecord
from core.storage.filters import FilterRecord
from core.storage.migrations.migrating import Migration, add_sequence, create_tables

MIGRATION = Migration(
    number=23,
    name="account_data",
    previous_release_can_run=True,
    steps=(create_tables(AccountDataRecord, FilterRecord), add_sequence("account_data")),
)
