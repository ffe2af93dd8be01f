"""A plugin for tests of what the server does for plugins: it notes what it gets, and fails when told to."""

from core.hooks import Consumer, LogKind, Migration, TableSet, hookimpl

TABLE = "CREATE TABLE IF NOT EXISTS probe_notes (name VARBINARY(255) PRIMARY KEY, number BIGINT)"


class Probe:
    def __init__(self, config, api):
        self.api = api
        self.lines, self.gone, self.failures = [], [], 0

    @hookimpl
    def contribute_tables(self):
        return [TableSet("probe", [Migration(1, [TABLE])])]

    @hookimpl
    def contribute_consumers(self):
        return [Consumer("all", frozenset(LogKind), self.take, batch_size=3)]

    def take(self, batch):
        if self.failures:
            self.failures -= 1
            raise ValueError("not now")
        self.lines.append(list(batch))

    @hookimpl
    def room_gone(self, room_id, is_purged):
        self.gone.append((room_id, is_purged))
