"""The database: the handle, the one writer, the log, migrations, and one store module per concept.

Stores read through `Database` from any greenlet; they write only inside a `Transaction` that the `Writer` hands to a
job. Nothing here knows what an event means.
"""

from core.storage.peewee_alone import import_peewee

import_peewee()  # before any store does
