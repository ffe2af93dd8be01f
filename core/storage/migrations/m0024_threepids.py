"""Addresses of accounts, where they are published, and the sessions that validate them."""

from core.storage.migrations.migrating import Migration, create_tables
from core.storage.threepids import ThreepidBindRecord, ThreepidRecord
from core.storage.validation_sessions import ValidationSessionRecord

MIGRATION = Migration(
    number=24,
    name="threepids",
    previous_release_can_run=True,
    steps=(create_tables(ThreepidRecord, ThreepidBindRecord, ValidationSessionRecord),),
)
