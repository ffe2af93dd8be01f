"""What a plugin can answer when it is asked to judge something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core.ids import UserId

_OWN_FIELDS: Final = frozenset({"errcode", "error", "self", "sentence"})


@dataclass(frozen=True, slots=True)
class Allow:
    """Yes, and no later plugin is asked. Use the constant `ALLOW`."""


@dataclass(frozen=True, slots=True)
class Reject:
    """No. The user sees `reason`; clients act on `errcode`. `fields` are added to the error's JSON."""

    errcode: str = "M_FORBIDDEN"
    reason: str = "This server does not allow that."
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.errcode, str) or not isinstance(self.reason, str):
            raise ValueError(f"Reject takes an errcode and a reason, both text; not {self.errcode!r}, {self.reason!r}")
        if taken := _OWN_FIELDS & set(self.fields):
            raise ValueError(f"the fields of Reject may not include {min(taken)}")


@dataclass(frozen=True, slots=True)
class Replace:
    """Yes, with this content in the event instead of the one that was judged."""

    content: Mapping[str, Any]


ALLOW: Final = Allow()

Verdict = Allow | Reject
"""The answer of a hook that judges."""
EventVerdict = Allow | Reject | Replace
"""The answer of a hook that may also amend an event."""


@dataclass(frozen=True, slots=True)
class PasswordAccepted:
    """These credentials are those of `user_id`, a full id of this server; an account is made where there is none."""

    user_id: UserId
    displayname: str | None = None


@dataclass(frozen=True, slots=True)
class PasswordRefused:
    """The account is this plugin's, and the credentials are wrong: no other plugin or stored hash is tried."""


PASSWORD_REFUSED: Final = PasswordRefused()

PasswordVerdict = PasswordAccepted | PasswordRefused


@dataclass(frozen=True, slots=True)
class RateLimitOverride:
    """Limits of one user in place of the configured ones; `per_second` 0 means no limit at all."""

    per_second: float
    burst_count: int


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """What one user may upload; None leaves a setting as configured."""

    max_upload_bytes: int | None = None
    max_total_bytes: int | None = None
    """All the user's uploads within `period_seconds` together."""
    period_seconds: int | None = None
    exceeded: Reject | None = None
    """The answer to an upload over the total, in place of the server's own."""
