"""The ground: facts about the deployment, sequences, the log, interned strings, leases, cursors."""

from core.storage.cursors import ConsumerCursor
from core.storage.facts import Fact
from core.storage.group_marks import WriterMark
from core.storage.interning import Text
from core.storage.leases import LeaseRow
from core.storage.log import LogLine, Sequence
from core.storage.migrations.migrating import Migration, add_sequence, create_tables

MIGRATION = Migration(
    number=1,
    name="ground",
    previous_release_can_run=True,
    steps=(
        create_tables(Sequence, LogLine, Text, Fact, WriterMark, LeaseRow, ConsumerCursor),
        add_sequence("log"),
        add_sequence("log_horizon"),
        add_sequence("texts"),
    ),
)
