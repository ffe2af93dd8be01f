"""Accounts, their devices and their tokens. The sequence `accounts` numbers devices and both kinds of token."""

from core.storage.access_tokens import AccessTokenRecord, RefreshTokenRecord
from core.storage.devices import DeviceRecord
from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.users import UserRecord

MIGRATION = Migration(
    number=20,
    name="accounts",
    previous_release_can_run=True,
    steps=(create_tables(UserRecord, DeviceRecord, AccessTokenRecord, RefreshTokenRecord), add_sequence("accounts")),
)
