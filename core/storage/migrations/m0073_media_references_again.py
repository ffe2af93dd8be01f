"""References to media from account data and from within texts: everything is looked through once more."""

from core.storage.migrations.migrating import Migration, run_sql

MIGRATION = Migration(
    number=73,
    name="media references again",
    previous_release_can_run=True,
    steps=(run_sql("DELETE FROM consumer_cursors WHERE name = 'media.references'"),),
)
