"""How much a user may upload: in one file, and over time. Plugins may say otherwise for single users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config.parsers import duration_ms, size_bytes
from core.errors import Forbidden, MatrixError
from core.hooks.manager import PluginManager
from core.hooks.specs import limits
from core.hooks.verdicts import Reject
from core.ids import Requester
from core.storage.media import MediaStore
from core.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `max_bytes` within any `period_ms`."""

    period_ms: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one user may upload."""

    max_bytes: int
    quotas: tuple[Quota, ...]
    exceeded: Reject | None = None


def quotas_of(configured: Sequence[Mapping[str, Any]]) -> tuple[Quota, ...]:
    """The quotas of `media_upload_limits`. Raises ValueError, with a sentence, for an entry that is none."""
    try:
        return tuple(Quota(duration_ms(entry["time_period"]), size_bytes(entry["max_size"])) for entry in configured)
    except KeyError as error:
        raise ValueError(f"each entry of media_upload_limits needs {error.args[0]}") from error


class UploadLimits:
    """Says what a user may upload, and refuses what goes beyond."""

    def __init__(self, media: MediaStore, plugins: PluginManager, max_bytes: int, quotas: tuple[Quota, ...]) -> None:
        self._media, self._plugins, self._max_bytes, self._quotas = media, plugins, max_bytes, quotas

    def of(self, requester: Requester) -> Allowance:
        """The allowance of a user."""
        policy = self._plugins.ask(limits.media_policy, user_id=requester.user_id)
        if policy is None:
            return Allowance(self._max_bytes, self._quotas)
        quotas = self._quotas
        if policy.max_total_bytes is not None:
            seconds = policy.period_seconds if policy.period_seconds is not None else 100 * 365 * 86_400
            quotas = (Quota(seconds * 1000, policy.max_total_bytes),)
        largest = self._max_bytes if policy.max_upload_bytes is None else policy.max_upload_bytes
        return Allowance(largest, quotas, policy.exceeded)

    def check(
        self, requester: Requester, allowance: Allowance, size: int, now_ms: int, transaction: Transaction | None = None
    ) -> None:
        """Refuse an upload of `size` bytes that is beyond a quota. Raises: `Forbidden` or what the plugin says."""
        for quota in allowance.quotas:
            used = self._media.uploaded_since(requester.user_nid, now_ms - quota.period_ms, transaction)
            if used + size > quota.max_bytes:
                raise _refusal(allowance.exceeded, quota)


def _refusal(exceeded: Reject | None, quota: Quota) -> MatrixError:
    if exceeded is not None:
        return Forbidden(exceeded.reason, errcode=exceeded.errcode, **exceeded.fields)
    hours = quota.period_ms / 3_600_000
    return Forbidden(f"You may upload {quota.max_bytes} bytes in {hours:g} hours, and this file goes beyond.")
