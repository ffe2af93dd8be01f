"""Pushers and what waits for them."""

from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.pushers import PusherRow, PushRow

MIGRATION = Migration(
    number=62,
    name="pushers",
    previous_release_can_run=True,
    steps=(create_tables(PusherRow, PushRow), add_sequence("pushers"), add_sequence("pushes")),
)
