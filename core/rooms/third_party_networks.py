"""What rooms need of bridges to other networks. Application services implement it; without any there is no network.

Spec: Client-Server API, "Third-party networks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from core.ids import RoomAlias, UserId

Found = Sequence[Mapping[str, Any]]


class ThirdPartyNetworks(Protocol):
    """Networks that bridges lead to. What a bridge does not answer is left out."""

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """The metadata of every protocol, by its name; instances have the `instance_id` of the room directory."""

    def locations(self, protocol: str, fields: Mapping[str, str]) -> Found:
        """The rooms that lead to a place of a network."""

    def users(self, protocol: str, fields: Mapping[str, str]) -> Found:
        """The Matrix users who stand for somebody in a network."""

    def locations_of(self, alias: RoomAlias) -> Found:
        """The places a room alias leads to."""

    def users_of(self, user_id: UserId) -> Found:
        """Who in networks a Matrix user stands for."""


class NoNetworks:
    """A server without bridges."""

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """None."""
        return {}

    def locations(self, protocol: str, fields: Mapping[str, str]) -> Found:
        """None."""
        return []

    users = locations

    def locations_of(self, alias: RoomAlias) -> Found:
        """None."""
        return []

    def users_of(self, user_id: UserId) -> Found:
        """None."""
        return []
