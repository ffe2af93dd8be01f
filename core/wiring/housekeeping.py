"""Chores: what has to be thrown away now and then, by one process of the deployment, whoever that is.

A chore that fails is logged and has its next turn like the others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

import gevent
from gevent.event import Event

from core.accounts.stale_devices import StaleDevices
from core.errors import MatrixError
from core.rooms.abandoned_rooms import AbandonedRooms
from core.storage.abandoned_rooms import AbandonedRoomStore
from core.storage.leases import Leases
from core.storage.outbound_inboxes import OutboundInboxStore
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.encryption import EncryptionPart
from core.wiring.ground import Ground
from core.wiring.notices import NoticesPart
from core.wiring.rooms import RoomsPart

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
FIRST_SECONDS = 60.0
"""The first turn comes within this time after the start, somewhere at random."""
LEASE = "housekeeping"

Chore = Callable[[], int]
"""Does something that is due, and says how much of it there was."""


class Housekeeping:
    """Does all chores, one after another, once an hour."""

    def __init__(self, chores: Mapping[str, Chore], leases: Leases) -> None:
        self._chores = chores
        self._leases = leases
        self._is_stopping = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End; a chore that is running is cut short, and done again after the next start."""
        self._is_stopping.set()
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def turn(self) -> None:
        """Do all chores, unless another process does them this hour."""
        if self._leases.take(LEASE, EVERY_SECONDS * 0.9) is None:
            return
        for name, chore in self._chores.items():
            try:
                count = chore()
            except Exception:
                logger.exception("%s: this could not be tidied up.", name)
            else:
                if count:
                    logger.info("%s: %d", name, count)

    def _run(self) -> None:
        wait = random.random() * FIRST_SECONDS
        while not self._is_stopping.wait(wait):
            try:
                self.turn()
            except MatrixError as error:  # no database to take the lease from
                logger.warning("The chores were put off: %s", error.sentence)
            wait = EVERY_SECONDS


def build_housekeeping(
    ground: Ground,
    accounts: AccountsPart,
    addresses: AddressesPart,
    encryption: EncryptionPart,
    rooms: RoomsPart,
    notices: NoticesPart,
) -> Housekeeping:
    """Who cleans up after all parts."""
    config, storage = ground.config, ground.storage
    stale = StaleDevices(
        accounts.devices,
        accounts.sessions,
        accounts.last_seen,
        storage.writer,
        config.auth.delete_stale_devices_after,
        config.server.user_ips_max_age,
    )
    abandoned = AbandonedRooms(
        rooms.graph,
        AbandonedRoomStore(storage.database),
        storage.writer,
        config.rooms.forgotten_room_retention_period,
    )
    chores = {
        "to-device messages of devices that never read": encryption.to_device.tidy,
        "to-device messages for servers that are gone": OutboundInboxStore(storage.database, storage.writer).trim,
        "devices not used for too long": stale.remove,
        "addresses of users kept for too long": stale.forget_addresses,
        "sessions of interactive authentication": accounts.interactive.expire,
        "validations of addresses": addresses.validation.expire,
        "histories of rooms that all have forgotten": abandoned.purge,
        "users asked to accept the terms": notices.consent.ask_all,
    }
    return Housekeeping(chores, storage.leases)
