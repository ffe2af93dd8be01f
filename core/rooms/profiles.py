"""The part of a profile that stands in member events. Accounts implements it for local users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.ids import UserId


class Profiles(Protocol):
    """What users are called."""

    def member_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """`displayname` and `avatar_url`, those that are set; nothing for users of other servers we know nothing of."""
