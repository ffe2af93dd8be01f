"""Registration tokens, and sessions of user-interactive authentication."""

from core.storage.auth_sessions import AuthSessionRecord
from core.storage.migrations.migrating import Migration, create_tables
from core.storage.registration_tokens import RegistrationTokenRecord

MIGRATION = Migration(
    number=22,
    name="registration",
    previous_release_can_run=True,
    steps=(create_tables(RegistrationTokenRecord, AuthSessionRecord),),
)
