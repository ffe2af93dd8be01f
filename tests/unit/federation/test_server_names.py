"""Server names taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.federation.server_names import find_name_parts
from core.ids import is_server_name


@pytest.mark.parametrize(
    ("name", "host", "port", "is_literal"),
    [
        ("a.org", "a.org", None, False),
        ("a.org:1", "a.org", 1, False),
        ("1.2.3.4:65535", "1.2.3.4", 65535, True),
        ("[::1]", "::1", None, True),
        ("[2001:db8::1]:8448", "2001:db8::1", 8448, True),
        ("999.1.1.1", "999.1.1.1", None, False),
    ],
)
def test_a_name_is_a_host_and_perhaps_a_port(name, host, port, is_literal):
    found = find_name_parts(name)
    assert (found.host, found.port, found.is_literal) == (host, port, is_literal)


@given(st.text(st.sampled_from("a1.:[]-%/@ é0"), max_size=30) | st.text(max_size=40))
def test_whatever_is_taken_apart_is_a_server_name_with_a_port_that_can_be(text):
    found = find_name_parts(text)
    if found is not None:
        assert is_server_name(text)
        assert found.port is None or 0 < found.port <= 65535
        assert "[" not in found.host
