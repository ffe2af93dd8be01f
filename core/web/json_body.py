"""Request bodies: read within a limit, and parsed as the JSON of this protocol.

The parser is strict (UTF-8, no NaN, no lone surrogates); of a key given twice the last value counts, as with every
deployed server. Nesting is bounded, so that whatever was accepted can also be written again.
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request
from werkzeug.exceptions import ClientDisconnected

from core.errors import BadJson, NotJson, TooLarge

MAX_BODY_BYTES = 1_048_576
"""Largest JSON body read unless the endpoint says otherwise: events are 64 KiB, key uploads and filters well below."""

MAX_DEPTH = 100
"""Deepest nesting of objects and lists accepted in a body."""

MAX_INT = 2**53 - 1
"""Largest integer of canonical JSON; the smallest is its negative."""


def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. Raises: `TooLarge`, naming the limit; `ClientDisconnected` where less arrived than announced."""
    environ = request.environ
    stream = environ["wsgi.input"]
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced:
        length = int(announced) if announced.isascii() and announced.isdigit() else 0
        if length > max_bytes:
            raise _too_large(max_bytes)
        body = _read(stream, length)
        if len(body) < length:
            raise ClientDisconnected
        return body
    if not environ.get("wsgi.input_terminated"):
        return b""
    body = _read(stream, max_bytes + 1)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def parse_json(body: bytes) -> Any:
    """The value that `body` spells. Raises: `NotJson`; `BadJson` for nesting deeper than `MAX_DEPTH`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"The body is not valid JSON: {error}.") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise BadJson(f"The body nests objects and lists more than {MAX_DEPTH} deep.")
    return value


def read_object(request: Request, max_bytes: int = MAX_BODY_BYTES, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The JSON object in the body; `{}` for no body at all where `may_be_empty`.

    Raises: `TooLarge`, `NotJson`, `BadJson` for JSON that is no object.
    """
    body = read_body(request, max_bytes)
    if may_be_empty and not body.strip():
        return {}
    if not body:
        raise NotJson("The request has no body; a JSON object is needed.")
    value = parse_json(body)
    if not isinstance(value, dict):
        raise BadJson(f"The body must be a JSON object, not {kind_of(value)}.")
    return value


def read_json(request: Request, max_bytes: int = MAX_BODY_BYTES, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The content of an event: a JSON object with every key it came with, and only what canonical JSON can express.

    Raises: as `read_object`, and `BadJson` for a float or an integer beyond 2^53-1, naming its key.
    Spec: Appendices, "Canonical JSON".
    """
    content = read_object(request, max_bytes, may_be_empty=may_be_empty)
    path = _uncanonical(content, "")
    if path is not None:
        raise BadJson(f"'{path[:200]}' is not allowed here: numbers must be integers between -(2^53)+1 and 2^53-1.")
    return content


def kind_of(value: Any) -> str:
    """What a JSON value is, for a sentence: "a string", "a list", "null"."""
    return _KINDS.get(type(value), "a value")


_KINDS = {
    str: "a string",
    int: "an integer",
    float: "a number with a fraction or beyond 64 bits",
    bool: "a boolean",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {max_bytes} bytes allowed here.")


def _read(stream: Any, length: int) -> bytes:
    """Read up to `length` bytes, however small the pieces in which they come."""
    first: bytes = stream.read(length)
    if len(first) == length or not first:
        return first
    pieces, missing = [first], length - len(first)
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether the object or list `value` nests more than `levels` deep; walks level by level, so depth costs no stack."""
    level = [value]
    for _ in range(levels + 1):
        inner: list[Any] = []
        for entry in level:
            for item in entry.values() if type(entry) is dict else entry:
                if type(item) is dict or type(item) is list:  # the parser makes no others, and this is twice as fast
                    inner.append(item)
        if not inner:
            return False
        level = inner
    return True


def _uncanonical(value: Any, path: str) -> str | None:
    """The path of the first number that canonical JSON cannot express, None where there is none."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        kind = type(item)
        if kind is float or (kind is int and not -MAX_INT <= item <= MAX_INT):
            return f"{path}{key}"
        if kind is dict or kind is list:
            found = _uncanonical(item, f"{path}{key}.")
            if found is not None:
                return found
    return None
