"""Push rules."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.push_rules import PushRuleRow

MIGRATION = Migration(
    number=60,
    name="push_rules",
    previous_release_can_run=True,
    steps=(create_tables(PushRuleRow),),
)
