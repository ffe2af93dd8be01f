"""The ground: facts about the deployment, sequences, the log, interned strings."""

from core.storage.facts import Fact
from core.storage.interning import Text
from core.storage.log import LogLine, Sequence
from core.storage.migrations.migrating import Migration, add_sequence, create_tables

MIGRATION = Migration(
    number=1,
    name="ground",
    previous_release_can_run=True,
    steps=(create_tables(Sequence, LogLine, Text, Fact), add_sequence("log"), add_sequence("texts")),
)
