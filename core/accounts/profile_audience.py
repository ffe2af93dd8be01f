"""Who may read profiles: everybody, those who sign in, or those who share a room with whom they look up.

Other servers ask elsewhere; `allow_profile_lookup_over_federation` is for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import Forbidden
from core.ids import Requester, UserId, UserNid

SharesRoom = Callable[[UserNid, UserId], bool]
"""Whether a local user is in a room together with another user."""


@dataclass(frozen=True, slots=True)
class ProfileAudience:
    """Settings `require_auth_for_profile_requests` and `limit_profile_requests_to_users_who_share_rooms`."""

    must_sign_in: bool = False
    shares_room: SharesRoom | None = None
    """Given where only those who share a room may look; they have to sign in in any case."""

    @property
    def is_public(self) -> bool:
        """Whether nobody needs to say who they are."""
        return not self.must_sign_in and self.shares_room is None

    def check(self, requester: Requester, user_id: UserId) -> None:
        """Raise Forbidden where the requester may not see this user's profile; administrators see all."""
        if self.shares_room is None or requester.is_admin or requester.user_id == user_id:
            return
        if not self.shares_room(requester.user_nid, user_id):
            raise Forbidden("This profile is shown only to those who share a room with the user.")
