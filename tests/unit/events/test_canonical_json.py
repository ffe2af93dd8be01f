"""Canonical JSON: orjson's fast path against its referee, and what has no canonical form."""

from __future__ import annotations

import json
import math
from typing import Any

import canonicaljson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import EventRefused
from core.events.canonical_json import encode, encode_checked

TEXT = st.text('abz"\\\x00\x1f\x7f\n\u00e9\u2028\ufb33\U0001f600', max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), TEXT)
KEYS = TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))
LAX = st.one_of(SCALARS, st.integers(), st.floats(allow_nan=False, allow_infinity=False))
LAX_VALUES = st.recursive(LAX, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


@given(VALUES)
def test_strict_values_are_written_as_the_referee_writes_them(value: Any) -> None:
    expected = canonicaljson.encode_canonical_json(value)
    assert encode(value) == encode(value, strict=False) == encode_checked(value) == expected
    assert json.loads(expected) == value


@given(LAX_VALUES)
def test_lax_values_are_written_as_the_referee_writes_them(value: Any) -> None:
    assert encode(value, strict=False) == canonicaljson.encode_canonical_json(value)


def test_keys_are_sorted_by_code_point_and_not_by_utf_16() -> None:
    assert encode({"\U0001f600": 1, "\ufb33": 2}).decode() == '{"\ufb33":2,"\U0001f600":1}'


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0])
def test_integers_of_53_bits_are_canonical(number: int) -> None:
    assert encode({"a": [number]}) == f'{{"a":[{number}]}}'.encode()


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**64, 10**50, 1.5, 1.0, -0.0, 1e-7])
def test_other_numbers_are_for_the_lax_room_versions(number: float) -> None:
    with pytest.raises(EventRefused):
        encode({"a": {"b": [number]}})
    with pytest.raises(EventRefused):
        encode(number)
    assert encode([number], strict=False).decode() == f"[{number!r}]"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_nesting_beyond_orjsons_depth_is_still_written() -> None:
    assert encode(nested(799)) == b"[" * 799 + b"1" + b"]" * 799
    with pytest.raises(EventRefused, match="800 levels"):
        encode(nested(800))
    with pytest.raises(EventRefused, match="float"):
        encode([nested(400), 1.5])


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": -math.inf},
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {None: 1},
        b"x",
        {"a": {1, 2}},
        object(),
        10**5000,
        nested(100_000),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_no_json_is_refused_and_nothing_else_happens(value: Any, strict: bool) -> None:
    with pytest.raises(EventRefused):
        encode(value, strict)


@pytest.mark.parametrize(
    "value", ["\ud800", {1: 2}, b"x", object(), nested(100_000)], ids=["surrogate", "key", "bytes", "object", "deep"]
)
def test_checked_values_are_still_refused_where_they_are_no_json(value: Any) -> None:
    with pytest.raises(EventRefused):
        encode_checked(value)
