from gevent import monkey

monkey.patch_all()

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.api import specified_answers
from tests.services.mariadb import MariaDb
from tests.services.redis import Redis


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-soak", action="store_true", help="also run the long soaks and fuzzing (marker `soak`)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-soak"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="a soak; run it with --run-soak"))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """One private MariaDB for the whole session."""
    with MariaDb.started() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """One private Redis for the whole session; a test flushes what it uses."""
    with Redis.started() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def answers_as_specified() -> Iterator[None]:
    """Hold every answer of ours that any test is given to a client's request against the specification's schemas.

    Only where `TRELLIS_SPEC` names them. What is checked of what: tests/api/specified_answers.py.
    """
    send = requests.Session.send

    def checked(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(session, request, **options)
        is_ours = not answer.headers.get("Server", "").startswith("Synapse")
        if is_ours and "application/json" in answer.headers.get("Content-Type", ""):
            found = specified_answers.problems_of_request(
                request.method or "", request.url or "", answer.status_code, answer.json()
            )
            assert not found, f"{request.method} {request.url}: {found}"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        if specified_answers.is_known():
            patch.setattr(requests.Session, "send", checked)
        yield
