"""Migrations: numbered files, applied once each at start, in order, under a lock.

A file `mNNNN_concept.py` holds one `MIGRATION`. Its steps are idempotent (a table is made where it is missing), so that
a start after a kill simply goes through the unfinished one again: SQLite takes back the whole migration, MariaDB and
MySQL commit with every CREATE and ALTER.

Numbers: 1-9 storage, 10-19 graph, 20-29 accounts, 30-39 rooms, 40-49 sync and receipts, 50-59 encryption, 60-69 push,
70-79 media, 80-89 federation, 90-99 application services. Plugins number their own from 1, under their name as owner.
"""

from core.storage.migrations.migrating import Migration, SchemaError, add_sequence, create_tables, migrate, run_sql

__all__ = ["Migration", "SchemaError", "add_sequence", "create_tables", "migrate", "run_sql"]
