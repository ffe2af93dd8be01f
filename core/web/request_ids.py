"""Request ids: what ties a 500 that somebody reports to the lines of the log.

The id is in a context variable, so each greenlet sees that of its own request.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Callable
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is being answered; "-" outside of one."""


def request_ids() -> Callable[[], str]:
    """A source of ids that are unique in this process and very likely among all: `k3x9q2-1f`."""
    prefix, numbers = secrets.token_hex(3), itertools.count(1)

    def next_id() -> str:
        return f"{prefix}-{next(numbers):x}"

    return next_id


class RequestIdFilter(logging.Filter):
    """Gives each log record a `request_id`, for handlers whose format shows it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute; refuses nothing."""
        record.request_id = REQUEST_ID.get()
        return True
