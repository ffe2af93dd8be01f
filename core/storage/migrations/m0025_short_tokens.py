"""OpenID tokens and login tokens."""

from core.storage.login_tokens import LoginTokenRecord
from core.storage.migrations.migrating import Migration, create_tables
from core.storage.openid_tokens import OpenidTokenRecord

MIGRATION = Migration(
    number=25,
    name="short_tokens",
    previous_release_can_run=True,
    steps=(create_tables(OpenidTokenRecord, LoginTokenRecord),),
)
