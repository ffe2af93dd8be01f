import pytest
import redis

from core.storage.database import Database
from tests.services import lacking
from tests.services.mariadb import MariaDb
from tests.services.redis import Redis


@pytest.mark.mariadb
def test_each_schema_is_empty_and_then_gone(mariadb: MariaDb) -> None:
    with mariadb.schema() as settings:
        assert (
            Database(settings).value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()")
            == 0
        )
    assert mariadb.run(f"SHOW DATABASES LIKE '{settings.database}'") == []


@pytest.mark.redis
def test_the_private_redis_answers(redis_server: Redis) -> None:
    with redis.Redis(redis_server.host, redis_server.port) as client:
        assert client.ping()


@pytest.mark.parametrize(("require_all", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_what_is_lacking_skips_unless_everything_is_required(
    monkeypatch: pytest.MonkeyPatch, require_all: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("REQUIRE_ALL", require_all)
    with pytest.raises(outcome, match="no such thing"):
        lacking("no such thing")
