"""Every error the server may show: one family, drawn as a tree.

    MatrixError                      anything that is answered in Matrix form
    ├── BadRequest                   400
    │   ├── BadJson                  M_BAD_JSON: JSON, but not what is allowed
    │   ├── NotJson                  M_NOT_JSON
    │   ├── InvalidParam             M_INVALID_PARAM
    │   ├── MissingParam             M_MISSING_PARAM
    │   ├── UnsupportedRoomVersion   M_UNSUPPORTED_ROOM_VERSION
    │   └── IncompatibleRoomVersion  M_INCOMPATIBLE_ROOM_VERSION
    ├── Unauthorized                 401
    │   ├── MissingToken             M_MISSING_TOKEN
    │   ├── UnknownToken             M_UNKNOWN_TOKEN
    │   └── BadSignature             M_UNAUTHORIZED: another server's signature is missing or wrong
    ├── Forbidden                    403 M_FORBIDDEN
    │   └── AuthRuleViolation        an event broke an authorization rule
    ├── NotFound                     404 M_NOT_FOUND
    ├── Unrecognized                 404 M_UNRECOGNIZED
    ├── MethodNotAllowed             405 M_UNRECOGNIZED
    ├── Conflict                     409
    ├── TooLarge                     413 M_TOO_LARGE
    ├── LimitExceeded                429 M_LIMIT_EXCEEDED
    └── Unavailable                  503 M_UNKNOWN: try again later
    EventRefused                     an event that is malformed; becomes BadJson for a local sender

Each class fixes an `errcode` and a `status`; an instance carries a sentence that is safe to show and the extra fields
of the answer. Only core.web.errors turns them into JSON. Imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MatrixError(Exception):
    """An answer in Matrix form. Spec: Client-Server API, "Standard error response"."""

    errcode = "M_UNKNOWN"
    status = 500

    def __init__(self, sentence: str, *, errcode: str | None = None, **fields: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if errcode is not None:
            self.errcode = errcode
        self.fields: Mapping[str, Any] = fields

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {"errcode": self.errcode, "error": self.sentence, **self.fields}


class BadRequest(MatrixError):
    """The request itself is wrong."""

    errcode, status = "M_UNKNOWN", 400


class BadJson(BadRequest):
    """The body is JSON, but a key is missing or has a value of the wrong kind."""

    errcode = "M_BAD_JSON"


class NotJson(BadRequest):
    """The body is no JSON at all."""

    errcode = "M_NOT_JSON"


class InvalidParam(BadRequest):
    """A parameter has a value that is not allowed."""

    errcode = "M_INVALID_PARAM"


class MissingParam(BadRequest):
    """A parameter that is required is missing."""

    errcode = "M_MISSING_PARAM"


class UnsupportedRoomVersion(BadRequest):
    """The room version asked for is not one this server knows."""

    errcode = "M_UNSUPPORTED_ROOM_VERSION"


class IncompatibleRoomVersion(BadRequest):
    """The other server does not list the room's version among those it supports."""

    errcode = "M_INCOMPATIBLE_ROOM_VERSION"


class Unauthorized(MatrixError):
    """The caller has not said who they are, or not convincingly."""

    errcode, status = "M_UNAUTHORIZED", 401


class MissingToken(Unauthorized):
    """No access token was given."""

    errcode = "M_MISSING_TOKEN"


class UnknownToken(Unauthorized):
    """The access token is not, or no longer, known. Field: `soft_logout`."""

    errcode = "M_UNKNOWN_TOKEN"


class BadSignature(Unauthorized):
    """A signature of another server is missing, unknown or wrong."""


class Forbidden(MatrixError):
    """The caller is known and may not do this."""

    errcode, status = "M_FORBIDDEN", 403


class AuthRuleViolation(Forbidden):
    """An event broke an authorization rule; `rule` is its number in the room version's list, such as "4.3.1"."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class NotFound(MatrixError):
    """What was asked for does not exist, or must not be seen to."""

    errcode, status = "M_NOT_FOUND", 404


class Unrecognized(MatrixError):
    """There is no such endpoint."""

    errcode, status = "M_UNRECOGNIZED", 404


class MethodNotAllowed(MatrixError):
    """The endpoint exists, the method on it does not."""

    errcode, status = "M_UNRECOGNIZED", 405


class Conflict(MatrixError):
    """The request does not fit what is there now."""

    errcode, status = "M_UNKNOWN", 409


class TooLarge(MatrixError):
    """The body, or the event it would make, is larger than allowed."""

    errcode, status = "M_TOO_LARGE", 413


class LimitExceeded(MatrixError):
    """Too many requests. Fields: `retry_after_ms`, and `limiter`, the setting that was hit."""

    errcode, status = "M_LIMIT_EXCEEDED", 429


class Unavailable(MatrixError):
    """The server cannot answer now; the same request may work later."""

    errcode, status = "M_UNKNOWN", 503


class EventRefused(MatrixError):
    """An event breaks its room version's format: it cannot be given a verdict, only dropped. 413 where it is too large."""

    errcode, status = "M_BAD_JSON", 400

    def __init__(self, sentence: str, *, errcode: str | None = None, **fields: Any) -> None:
        super().__init__(sentence, errcode=errcode, **fields)
        if self.errcode == TooLarge.errcode:
            self.status = TooLarge.status
