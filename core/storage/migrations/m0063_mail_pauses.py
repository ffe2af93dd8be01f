"""When users were mailed about what they missed."""

from core.storage.mail_pauses import MailPauseRow
from core.storage.migrations.migrating import Migration, create_tables

MIGRATION = Migration(
    number=63,
    name="mail_pauses",
    previous_release_can_run=True,
    steps=(create_tables(MailPauseRow),),
)
