"""Hooks that adjust the server's limits for single users."""

from __future__ import annotations

from core.hooks.markers import Kind, spec
from core.hooks.verdicts import MediaPolicy, RateLimitOverride
from core.ids import UserId


@spec(Kind.ASK, RateLimitOverride, seconds=1.0)
def ratelimit_override(user_id: UserId, limiter: str) -> RateLimitOverride | None:
    """Give a user other limits than the configured ones, before a request is counted; answers are kept for a minute.

    `limiter` is the setting's name, such as `rc_message`. Return None to leave it to the next plugin or the
    configuration, or a `RateLimitOverride`; the first answer wins. Must not block. If it fails the configured limits
    hold. Since 0.1.
    """
    return None


@spec(Kind.ASK, MediaPolicy, seconds=1.0)
def media_policy(user_id: UserId) -> MediaPolicy | None:
    """Say what a user may upload, when they ask for the media configuration and before each upload is read.

    Return None to leave it to the next plugin or the configuration, or a `MediaPolicy`; the first answer wins. Must
    not block. If it fails the configured limits hold. Since 0.1.
    """
    return None
