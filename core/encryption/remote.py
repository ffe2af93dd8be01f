"""What other servers' users need of this package: implemented by federation, and by refusals where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.ids import DeviceId, ServerName, UserId
from core.storage.writer import Transaction

Wanted = Mapping[UserId, Sequence[DeviceId]]
"""Whose devices are asked for; no ids means all of the user's."""
Claims = Mapping[UserId, Mapping[DeviceId, str]]
"""From user and device to the algorithm of the key that is wanted."""
Messages = Mapping[UserId, Mapping[str, bytes]]
"""From user and device (or `*`) to the content for it, a JSON object."""
Failures = dict[ServerName, dict[str, Any]]


@dataclass(slots=True)
class RemoteKeysFound:
    """What other servers answered to a query, each part as in the answer to clients."""

    device_keys: dict[UserId, dict[DeviceId, dict[str, Any]]] = field(default_factory=dict)
    master_keys: dict[UserId, dict[str, Any]] = field(default_factory=dict)
    self_signing_keys: dict[UserId, dict[str, Any]] = field(default_factory=dict)
    failures: Failures = field(default_factory=dict)


@dataclass(slots=True)
class RemoteKeysClaimed:
    """One-time keys that other servers gave out: user, device, `algorithm:id`, key."""

    one_time_keys: dict[UserId, dict[DeviceId, dict[str, Any]]] = field(default_factory=dict)
    failures: Failures = field(default_factory=dict)


class RemoteKeys(Protocol):
    """Asks the servers of remote users, or remembers what they said."""

    def query(self, wanted: Wanted, timeout_ms: int) -> RemoteKeysFound:
        """The keys of remote users; a server that does not answer in time is a failure, not an error."""

    def claim(self, wanted: Claims, timeout_ms: int) -> RemoteKeysClaimed:
        """One-time keys of remote users' devices."""

    def find_master_key(self, user_id: UserId) -> dict[str, Any] | None:
        """A remote user's master key as far as it is known here, without asking."""


class RemoteInboxes(Protocol):
    """Takes to-device messages to other servers."""

    def post(self, transaction: Transaction, sender: UserId, event_type: str, messages: Messages) -> None:
        """Queue messages durably, in the caller's transaction; delivery is the implementation's business."""


class NoRemoteKeys:
    """Remote keys of a server that does not federate: every other server is one that cannot be reached."""

    def query(self, wanted: Wanted, timeout_ms: int) -> RemoteKeysFound:
        """Failures only."""
        return RemoteKeysFound(failures=_unreachable(wanted))

    def claim(self, wanted: Claims, timeout_ms: int) -> RemoteKeysClaimed:
        """Failures only."""
        return RemoteKeysClaimed(failures=_unreachable(wanted))

    def find_master_key(self, user_id: UserId) -> dict[str, Any] | None:
        """Never known."""
        return None


class NoRemoteInboxes:
    """Messages to other servers go nowhere where there is no federation, as they do to devices that do not exist."""

    def post(self, transaction: Transaction, sender: UserId, event_type: str, messages: Messages) -> None:
        """Do nothing."""


def _unreachable(users: Mapping[UserId, Any]) -> Failures:
    refusal = {"errcode": "M_UNREACHABLE", "error": "This server does not speak to other servers."}
    return {ServerName(user_id.partition(":")[2]): dict(refusal) for user_id in users}
