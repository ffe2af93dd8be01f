"""The only place that turns exceptions into JSON.

The MatrixError family answers for itself; what werkzeug raises (no such route, wrong method, a body cut short) gets the
error code that the specification gives it; anything else is our defect: a 500 `M_UNKNOWN` with a request id, and the
traceback goes to the log, never to the wire. Spec: Client-Server API, "Standard error response".
"""

from __future__ import annotations

import logging
import math

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from core.errors import LimitExceeded, MatrixError
from core.web.replies import json_reply
from core.web.request_ids import REQUEST_ID

_log = logging.getLogger(__name__)

_SENTENCES = {404: "There is no such endpoint.", 413: "The body is too large."}
_ERRCODES = {404: "M_UNRECOGNIZED", 405: "M_UNRECOGNIZED", 413: "M_TOO_LARGE", 429: "M_LIMIT_EXCEEDED"}


def answer_errors(flask: Flask) -> None:
    """Let every exception of `flask`'s views and routing end as an answer in Matrix form."""
    flask.register_error_handler(MatrixError, reply_to_matrix_error)
    flask.register_error_handler(HTTPException, reply_to_http_error)
    flask.register_error_handler(Exception, reply_to_defect)


def reply_to(error: Exception, asked: Request) -> Response:
    """The answer to whatever a view raised, for views that are called without Flask."""
    if isinstance(error, MatrixError):
        return reply_to_matrix_error(error)
    if isinstance(error, HTTPException):
        return reply_to_http_error(error)
    return reply_to_defect(error, asked)


def reply_to_matrix_error(error: MatrixError) -> Response:
    """The answer that the error itself describes; 429 carries `Retry-After` in whole seconds, rounded up."""
    reply = json_reply(error.body(), error.status)
    if isinstance(error, LimitExceeded):
        retry_after_ms = error.fields.get("retry_after_ms")
        if retry_after_ms is not None:
            reply.headers["Retry-After"] = str(max(1, math.ceil(retry_after_ms / 1000)))
    return reply


def reply_to_http_error(error: HTTPException) -> Response:
    """The answer to what werkzeug refused."""
    status = error.code or 500
    if error.response is not None and status < 400:
        return error.response  # type: ignore[return-value]  # a redirect of werkzeug's is a response already
    methods = getattr(error, "valid_methods", None)
    if status == 405 and methods:
        sentence = f"{request.method} is not allowed here; allowed are {', '.join(sorted(methods))}."
    else:
        sentence = _SENTENCES.get(status) or error.description or error.name
    errcode = getattr(error, "errcode", None) or _ERRCODES.get(status, "M_UNKNOWN")
    reply = json_reply({"errcode": errcode, "error": sentence}, status)
    if methods:
        reply.headers["Allow"] = ", ".join(sorted(methods))
    return reply


def reply_to_defect(error: Exception, asked: Request | None = None) -> Response:
    """A 500 that shows nothing but the request id under which the log has the traceback."""
    asked = asked or request
    request_id = REQUEST_ID.get()
    _log.error("Request %s failed (%s %s)", request_id, asked.method, asked.endpoint or asked.path, exc_info=error)
    sentence = f"The server failed to answer; its log says why under request {request_id}."
    return json_reply({"errcode": "M_UNKNOWN", "error": sentence, "request_id": request_id}, 500)
