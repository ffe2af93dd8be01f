"""The part of a profile that stands in member events. Accounts implements it for local users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.ids import UserId


class Profiles(Protocol):
    """What users are called."""

    def member_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """`displayname` and `avatar_url`, those that are set; nothing for users of other servers we know nothing of."""

    def invite_fields(self, user_id: UserId) -> Mapping[str, Any]:
        """As `member_fields`, for the invite of a user, who may not want to be known before they are in the room."""

    def in_room(self, user_id: UserId, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a user may say of themselves in a member event, where `content` is what they would like to."""
