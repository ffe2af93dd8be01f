"""Profiles of other servers' users. Implements core.accounts.profiles.RemoteProfiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.federation.calls import ServerCalls
from core.ids import UserId, server_of


class FederatedProfiles:
    """Asks the user's server each time; nothing is kept."""

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls

    def profile(self, user_id: UserId, key: str | None = None) -> Mapping[str, Any]:
        """The profile, or one field of it. Raises what SignedClient raises, NotFound among it as RemoteRefusal."""
        found = self._calls.profile(user_id, server_of(user_id), key)
        return {name: value for name, value in found.items() if value is not None}
