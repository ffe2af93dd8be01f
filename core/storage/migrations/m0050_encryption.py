"""Device keys, one-time keys, cross-signing, key backups, and messages that wait for devices."""

from core.storage.cross_signing import CrossSigningKeyRecord, UserSignatureRecord
from core.storage.device_keys import DehydratedDeviceRecord, DeviceKeyRecord
from core.storage.key_backup import BackedUpKeyRecord, BackupVersionRecord
from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.one_time_keys import FallbackKeyRecord, OneTimeKeyRecord
from core.storage.to_device import ToDeviceMessage, ToDeviceRequest

MIGRATION = Migration(
    number=50,
    name="encryption",
    previous_release_can_run=True,
    steps=(
        create_tables(
            DeviceKeyRecord,
            DehydratedDeviceRecord,
            OneTimeKeyRecord,
            FallbackKeyRecord,
            CrossSigningKeyRecord,
            UserSignatureRecord,
            BackupVersionRecord,
            BackedUpKeyRecord,
            ToDeviceMessage,
            ToDeviceRequest,
        ),
        add_sequence("one_time_keys"),
        add_sequence("to_device"),
    ),
)
