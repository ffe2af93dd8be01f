"""Servers that chaos befalls, and what each of them knows afterwards, read from its database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.storage.events import HIDDEN, Flag
from tests.federation.chaos.network import Network
from tests.servers.federating import FederatingServer
from tests.servers.remote import Certificate
from tests.servers.synapse import Synapse
from tests.servers.trellis import User
from tests.servers.watching import history

TIMEOUTS = {"client_timeout": "5s", "max_long_retry_delay": "1s", "max_short_retries": 1}


@dataclass(frozen=True)
class Known:
    """The events that a server has of a room."""

    placed: frozenset[str]
    rejected: frozenset[str]
    hidden: frozenset[str]
    unplaced: frozenset[str]


class Member(FederatingServer):
    """One server of the cluster; its clock goes wrong by `skew` seconds with the next start."""

    def __init__(self, folder: Path, certificate: Certificate, network: Network) -> None:
        self._source: list[int] = []
        proxy = network.proxy_for(self._source)
        super().__init__(folder, certificate, https_proxy=proxy, federation=TIMEOUTS, no_proxy_hosts=[])
        self._source.append(self.federation_port)
        self.skew = 0.0

    def command(self) -> list[str]:
        """How it is run."""
        skew = str(self.skew)
        return [self.python, "-m", "tests.federation.chaos.skewed", skew, "-k", "gevent", "core.wsgi"]

    def known(self, room_id: str) -> Known:
        """What it has of a room."""
        with sqlite3.connect(f"file:{self.folder / 'hs.db'}?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT e.event_id, e.flags FROM events e JOIN rooms r ON r.room_nid = e.room_nid WHERE r.room_id = ?",
                (room_id,),
            ).fetchall()
        database.close()
        assert rows, f"{room_id} is not in the database"
        flags = {_text(event_id): flag for event_id, flag in rows}

        def with_flags(wanted: Flag) -> frozenset[str]:
            return frozenset(event_id for event_id, flag in flags.items() if flag & wanted)

        unplaced = with_flags(Flag.OUTLIER)
        return Known(frozenset(flags) - unplaced, with_flags(Flag.REJECTED), with_flags(HIDDEN), unplaced)


class SynapseMember(Synapse):
    """A Synapse in the cluster. Its clock is right, and what it keeps in its database is its own affair."""

    def __init__(self, folder: Path, certificate: Certificate, network: Network) -> None:
        self._source: list[int] = []
        super().__init__(
            folder,
            certificate,
            https_proxy=network.proxy_for(self._source),
            no_proxy_hosts=[],
            federation={"destination_min_retry_interval": "1s", "destination_max_retry_interval": "5s"},
        )
        self._source.append(self.federation_port)
        self.skew = 0.0

    def known(self, room_id: str) -> None:
        """Nothing that could be compared."""


def state_of(user: User, room_id: str) -> dict[tuple[str, str], str]:
    """The current state, by id, as a user sees it."""
    found: Any = user.get(f"/v3/rooms/{room_id}/state")
    return {(one["type"], one["state_key"]): one["event_id"] for one in found}


def history_of(user: User, room_id: str) -> frozenset[str]:
    """The ids of all that a user can page back to."""
    return frozenset(one["event_id"] for one in history(user, room_id))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
