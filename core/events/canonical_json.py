"""Canonical JSON: the one spelling of a JSON value, which hashes and signatures cover.

orjson writes it ten times faster than canonicaljson and, for what nearly every event holds, writes the same bytes.
Where the two differ or orjson gives up (floats, integers past 53 bits, deep nesting) canonicaljson has the last word.
What has no canonical form at all is refused, whoever meets it first.

Spec: Appendices, "Canonical JSON"; fragments v1-canonical-json (lax, room versions 1 to 5) and v6-canonical-json
(strict).
"""

from __future__ import annotations

import math
from typing import Any

import canonicaljson
import orjson

from core.errors import EventRefused

MAX_INTEGER = 2**53 - 1
"""Largest integer of strict canonical JSON; the smallest is its negative."""

MAX_NESTING = 800
"""Deepest nesting that is written. A fixed number, since what Python's own stack has room for differs from call to
call, and verdicts must not."""

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


_HOLDERS = frozenset((dict, list, tuple))


def encode(value: Any, strict: bool = True) -> bytes:
    """The canonical bytes of `value`.

    `strict` refuses floats and integers beyond `MAX_INTEGER`, as room versions do from 6; without it they are written
    the way the older versions' servers write them. Raises EventRefused for what is no JSON (NaN, lone surrogates, keys
    that are not strings), and for nesting deeper than `MAX_NESTING`.
    """
    try:
        encoded = orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _encode_carefully(value, strict)
    if _has_float(value):
        return _encode_carefully(value, strict)
    return encoded


def encode_checked(value: Any) -> bytes:
    """As `encode`, for a value already known to hold no floats: it saves the walk that looks for them."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _encode_carefully(value, strict=False)


def _has_float(value: Any) -> bool:
    """Whether a float stands anywhere in what orjson could write (so the nesting is finite, and the keys are
    strings).
    """
    waiting: list[Any] = [(value,)]
    while waiting:
        holder = waiting.pop()
        items = holder.values() if type(holder) is dict else holder
        kinds = set(map(type, items))
        if float in kinds:
            return True
        if not kinds.isdisjoint(_HOLDERS):
            waiting.extend([item for item in items if type(item) in _HOLDERS])
    return False


def _encode_carefully(value: Any, strict: bool) -> bytes:
    _refuse_foreign_values(value, strict)
    try:
        return canonicaljson.encode_canonical_json(value)
    except UnicodeError as error:
        raise EventRefused("The JSON holds a lone surrogate, which UTF-8 cannot express.") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise EventRefused(f"The value has no canonical JSON form: {error}.") from error


def _refuse_foreign_values(value: Any, strict: bool) -> None:
    """Raise EventRefused for anything that JSON, or strict canonical JSON, has no room for."""
    level = [value]
    for _ in range(MAX_NESTING):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                if not all(isinstance(key, str) for key in item):
                    raise EventRefused("JSON object keys must be strings.")
                inner.extend(item.values())
            elif isinstance(item, (list, tuple)):
                inner.extend(item)
            elif item is not None and not isinstance(item, (str, bool)):
                _refuse_foreign_number(item, strict)
        if not inner:
            return
        level = inner
    raise EventRefused(f"The JSON is nested more than {MAX_NESTING} levels deep.")


def _refuse_foreign_number(item: Any, strict: bool) -> None:
    if isinstance(item, int):
        if strict and not -MAX_INTEGER <= item <= MAX_INTEGER:
            raise EventRefused("Integers must lie between -(2^53)+1 and (2^53)-1.")
    elif isinstance(item, float):
        if strict:
            raise EventRefused("Numbers must be integers; floats are not allowed in canonical JSON.")
        if not math.isfinite(item):
            raise EventRefused("NaN and infinities are not JSON numbers.")
    else:
        raise EventRefused(f"A {type(item).__name__} is not a JSON value.")
