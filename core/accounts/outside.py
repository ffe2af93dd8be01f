"""What the accounts part asks of the door to other machines; core.outbound.web implements it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from core.errors import Unavailable
from core.hooks.api import HttpAnswer


class OutsideWeb(Protocol):
    """HTTP requests to other machines."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int = 10_000,
        max_bytes: int = 1_000_000,
        is_guarded: bool = True,
    ) -> HttpAnswer:
        """Make one request. `is_guarded` False only for addresses the administrator configured. Raises MatrixError."""


def json_object(answer: HttpAnswer, where: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises: `Unavailable` where there is none."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Unavailable(f"{where} answers {answer.status}, and not in JSON.") from error
    if not isinstance(found, dict):
        raise Unavailable(f"{where} answers {answer.status}, and not with an object.")
    return found
