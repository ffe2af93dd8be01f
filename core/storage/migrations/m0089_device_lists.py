"""Device lists between servers: what was announced, what is on its way, and what is known of others."""

from core.storage.announced_devices import AnnouncedDevicesRow
from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.outbound_device_lists import SEQUENCE, OutboundDeviceList
from core.storage.remote_devices import RemoteDevicesRow

MIGRATION = Migration(
    number=89,
    name="device_lists",
    previous_release_can_run=True,
    steps=(create_tables(AnnouncedDevicesRow, OutboundDeviceList, RemoteDevicesRow), add_sequence(SEQUENCE)),
)
