from gevent import monkey

monkey.patch_all()

from collections.abc import Iterator

import pytest

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
