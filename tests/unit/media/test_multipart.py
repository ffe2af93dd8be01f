"""The two-part bodies in which servers hand over media."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.media.multipart import Malformed, boundary_of, second_part

HEAD = b"preamble\r\n--gap\r\nContent-Type: application/json\r\n\r\n{}\r\n--gap\r\nContent-Type: a/b\r\nX:  y \r\n\r\n"


def cut(body, at):
    """The body in pieces."""
    places = sorted({0, len(body), *(place % (len(body) + 1) for place in at)})
    return iter([body[start:end] for start, end in pairwise(places) if end > start])


@given(st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=12))
def test_the_file_comes_out_however_it_arrives(content, at):
    content = content.replace(b"--gap", b"")
    headers, body = second_part(b"gap", cut(HEAD + content + b"\r\n--gap--\r\n", at))
    assert (dict(headers), b"".join(body)) == ({"content-type": "a/b", "x": "y"}, content)


@given(st.lists(st.sampled_from([b"--gap", b"\r\n", b"--", b"x", b"gap"]), max_size=20))
def test_no_body_does_more_than_be_malformed(parts):
    try:
        _, body = second_part(b"gap", iter(parts))
        list(body)
    except Malformed:
        pass


def test_a_file_without_an_end_is_malformed():
    with pytest.raises(Malformed):
        list(second_part(b"gap", iter([HEAD + b"cut off"]))[1])


def test_endless_headers_are_malformed():
    with pytest.raises(Malformed):
        second_part(b"gap", iter([b"--gap\r\n"] + [b"x" * 1000] * 100))


@pytest.mark.parametrize(
    ("header", "boundary"),
    [("multipart/mixed; boundary=a", b"a"), ('Multipart/Mixed; x=y; boundary="a b"', b"a b")],
)
def test_the_boundary_is_found(header, boundary):
    assert boundary_of(header) == boundary


@pytest.mark.parametrize("header", ["", "text/plain; boundary=a", "multipart/mixed"])
def test_what_has_no_boundary_is_malformed(header):
    with pytest.raises(Malformed):
        boundary_of(header)
