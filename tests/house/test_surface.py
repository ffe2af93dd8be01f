"""The surface: each operation of the specification is served, or admitted to be missing."""

from __future__ import annotations

import pytest

from tests.house.conformance import PAGE, page
from tests.house.routes import declared_routes, listed_as_missing, routes_of, specified_operations


def test_every_operation_of_the_specification_is_served_or_listed_as_not_yet_served() -> None:
    accounted = declared_routes() | set(listed_as_missing())
    assert [operation.path for operation in specified_operations() if operation.route not in accounted] == []


def test_nothing_listed_as_not_yet_served_is_served() -> None:
    assert sorted(set(listed_as_missing()) & declared_routes()) == []


def test_only_operations_of_the_specification_are_listed_and_only_once() -> None:
    listed = listed_as_missing()
    assert sorted(set(listed) - {operation.route for operation in specified_operations()}) == []
    assert len(listed) == len(set(listed))


def test_the_conformance_page_says_what_is_served() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.house.conformance"


@pytest.mark.parametrize(
    ("source", "routes"),
    [
        ('@bp.get("/a/<b>/")\ndef f(): ...', {("GET", "/a/{}")}),
        ('P = "/v3"\nbp.post(f"{P}/<path:x>")(f)', {("POST", "/v3/{}")}),
        ('for p in ("/a", "/b"):\n    bp.add_url_rule(p + "/c", "n", f)', {("GET", "/a/c"), ("GET", "/b/c")}),
        ('@bp.route("/a", methods=["PUT", "POST"])\ndef f(): ...', {("PUT", "/a"), ("POST", "/a")}),
        ('settings.get("key")\nclient.get(name)', set()),
    ],
)
def test_routes_are_found_however_a_blueprint_spells_them(source: str, routes: set[tuple[str, str]]) -> None:
    assert set(routes_of(source)) == routes
