"""Replies: JSON from objects or from bytes that are ready, and HTML pages.

Every JSON answer of the server is made here, so that content type and encoding are decided once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response
from marshmallow import EXCLUDE, Schema

_JSON_HEADERS = (("Content-Type", "application/json"),)
_PAGE_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)


class EmptySchema(Schema):
    """The answer `{}`, and a body of which no key matters."""

    class Meta:
        unknown = EXCLUDE


Empty = EmptySchema()
"""The one instance of it: `dump(Empty, {})`, `load(Empty, request)`."""


def json_reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with `content` as JSON; bytes are taken as JSON that is ready and sent as they are."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    reply = Response(body, status, _JSON_HEADERS)
    if headers:
        reply.headers.update(headers)
    return reply


def dump(schema: Schema, obj: Any, status: int = 200) -> Response:
    """Answer with `obj` in the form of `schema`."""
    if schema is Empty:
        return json_reply(b"{}", status)
    return json_reply(schema.dump(obj), status)


def page_reply(html: str, status: int = 200) -> Response:
    """Answer with a page that may load nothing from anywhere and may not be framed."""
    return Response(html, status, _PAGE_HEADERS)
