"""What another server answers instead of what it was asked for."""

from __future__ import annotations

from typing import Any

import orjson

from core.errors import MatrixError, Unavailable
from core.ids import ServerName

MAX_SENTENCE = 500
_NOT_OURS_TO_SAY = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"})
"""Codes that clients would take to speak of their own session."""
_PASSED_ON = frozenset({400, 403, 404, 409, 413})


class RemoteRefusal(MatrixError):
    """Another server refused, in its own words.

    `status`, `errcode` and the extra fields are fit to be passed on to a client: 502 and M_UNKNOWN where the refusal
    would say something wrong about us. `answered_status` and `answered_errcode` are what was really answered.
    """

    errcode, status = "M_UNKNOWN", 502

    def __init__(self, server: ServerName, status: int, errcode: str, sentence: str, fields: dict[str, Any]) -> None:
        is_ours = status in _PASSED_ON and errcode.startswith("M_") and errcode not in _NOT_OURS_TO_SAY
        super().__init__(f"{server} refuses: {sentence}", errcode=errcode if is_ours else "M_UNKNOWN")
        if is_ours:
            self.status = status
            self.fields = fields
        self.server = server
        self.answered_status = status
        self.answered_errcode = errcode
        self.answered_fields = fields
        self.answered_sentence = sentence


class RemoteNonsense(MatrixError):
    """Another server answered what is no JSON, or not the JSON that was asked for."""

    errcode, status = "M_UNKNOWN", 502

    def __init__(self, server: ServerName, sentence: str) -> None:
        super().__init__(f"The answer of {server} cannot be used: {sentence}")
        self.server = server


def may_pass(error: MatrixError) -> bool:
    """Whether the server may answer the same question later: it was not there, or had too much to do."""
    if isinstance(error, RemoteRefusal):
        return error.answered_status >= 500 or error.answered_status == 429
    return isinstance(error, Unavailable)


def read_refusal(server: ServerName, status: int, body: bytes) -> RemoteRefusal:
    """The error that an answer other than 2xx stands for."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return RemoteRefusal(server, status, "", f"it answers {status}", {})
    errcode, sentence = found.pop("errcode", ""), found.pop("error", "")
    text = sentence[:MAX_SENTENCE] if isinstance(sentence, str) and sentence else f"it answers {status}"
    return RemoteRefusal(server, status, errcode[:100] if isinstance(errcode, str) else "", text, found)
