"""Profiles of local users."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.profiles import ProfileRecord

MIGRATION = Migration(number=21, name="profiles", previous_release_can_run=True, steps=(create_tables(ProfileRecord),))
