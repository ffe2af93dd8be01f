"""Reading a JSON object as it arrives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.federation.streamed_json import stream_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def pieces_of(text: bytes, size: int):
    """The text in pieces."""
    return [text[start : start + size] for start in range(0, len(text), size)]


@given(st.lists(VALUES, max_size=5), VALUES, st.integers(1, 40), st.sampled_from([None, 1]))
def test_members_and_elements_are_read_whatever_the_pieces(listed, other, size, indent):
    text = json.dumps({"list": listed, "other": other, "empty": []}, indent=indent).encode()
    found = [(key, json.loads(raw)) for key, raw in stream_object(pieces_of(text, size), ("list", "empty"))]
    assert found == [*(("list", element) for element in listed), ("other", other)]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a":1', b'{"a" 1}', b'{"a":1,}', b'{"list":{}}', b"{1:2}", b'{"a":"x'])
def test_what_is_no_whole_object_is_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        list(stream_object([text], ("list",)))
