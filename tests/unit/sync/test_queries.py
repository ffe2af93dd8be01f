"""Reading the query of a sync: what is remembered of earlier ones changes nothing about the answer."""

from __future__ import annotations

import pytest
from flask import Request

from core.api.client.sync import RepeatedQueries
from core.errors import InvalidParam


@pytest.fixture
def queries() -> RepeatedQueries:
    return RepeatedQueries()


def asked(query: str) -> Request:
    """A request with this query."""
    return Request({"QUERY_STRING": query, "REQUEST_METHOD": "GET"})


def test_a_repeated_query_is_read_with_its_own_since(queries):
    first, since = queries.load(asked("timeout=30000&since=s1_1.0&filter=7"))
    assert since == "s1_1.0"
    again, since = queries.load(asked("timeout=30000&since=s2%5F1.0&filter=7"))
    assert again is first
    assert since == "s2_1.0"
    assert queries.load(asked("timeout=30000&filter=7"))[1] == ""


@pytest.mark.parametrize("query", ["%73ince=s1_1.0", "since=s1_1.0&since=s2_1.0", "timeout=5&sin%63e=s1_1.0"])
def test_a_since_written_in_another_way_is_read_as_well(queries, query):
    for _ in range(2):
        assert queries.load(asked(query))[1] == "s1_1.0"


def test_what_is_refused_is_refused_each_time(queries):
    for _ in range(2):
        with pytest.raises(InvalidParam, match="timeout"):
            queries.load(asked("timeout=soon&since=s1_1.0"))
