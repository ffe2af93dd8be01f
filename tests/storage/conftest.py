from tests.services.engines import database, database_settings, interner, log, migrated_file, tail, writer

__all__ = ["database", "database_settings", "interner", "log", "migrated_file", "tail", "writer"]
