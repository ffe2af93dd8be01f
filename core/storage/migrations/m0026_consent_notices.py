"""About which version of the terms each user was written to."""

from core.storage.consent_notices import ConsentNoticeRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(
    number=26,
    name="consent_notices",
    previous_release_can_run=True,
    steps=(create_tables(ConsentNoticeRow),),
)
