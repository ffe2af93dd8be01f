"""What users report."""

from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.reports import ReportRecord

MIGRATION = Migration(
    number=31,
    name="reports",
    previous_release_can_run=True,
    steps=(create_tables(ReportRecord), add_sequence("reports")),
)
