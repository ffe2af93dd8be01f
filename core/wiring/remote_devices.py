"""What is known of remote users' devices."""

from __future__ import annotations

from dataclasses import dataclass

from core.federation.device_list_refresh import DeviceListRefresh
from core.federation.remote_device_departures import RemoteDeviceDepartures
from core.federation.remote_device_keys import RemoteDeviceKeys
from core.federation.remote_devices import KnownRemoteDevices
from core.storage.remote_devices import RemoteDeviceStore
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class RemoteDevicesPart:
    """Who asks, who remembers, who doubts (a consumer to be run), and who asks again (to be stopped)."""

    keys: RemoteDeviceKeys
    known: KnownRemoteDevices
    departures: RemoteDeviceDepartures
    refresh: DeviceListRefresh


def build_remote_devices(ground: Ground, federation: FederationGround) -> RemoteDevicesPart:
    """Build the part over an open database."""
    storage, name = ground.storage, ground.server_name
    store = RemoteDeviceStore(storage.database)
    known = KnownRemoteDevices(name, store, storage.interner, storage.writer)
    departures = RemoteDeviceDepartures(name, store, storage.interner)
    keys = RemoteDeviceKeys(federation.servers, known)
    refresh = DeviceListRefresh(keys)
    known.on_doubt = refresh.soon
    return RemoteDevicesPart(keys, known, departures, refresh)
