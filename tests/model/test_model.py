"""After every step of random lives, what each kind of client is told agrees with the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from tests.model.clients import SlidingClient, SyncClient
from tests.model.comparing import compare_history, compare_reload, compare_sliding, compare_sync
from tests.model.connection import LeanUser
from tests.model.steps import Steps
from tests.model.world import World
from tests.servers.trellis import Server

STEPS = 160
"""More than one deck of all kinds of steps, and rooms made and given up."""
SOAK_STEPS = int(os.environ.get("TRELLIS_MODEL_STEPS", "10000"))
PEOPLE = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: nobody else moves there."""
    server = Server(tmp_path_factory.mktemp("model"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def on_mariadb(mariadb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the other engine."""
    with mariadb.schema() as settings:
        args = {"user": settings.user, "database": settings.database, "unix_socket": settings.unix_socket}
        server = Server(tmp_path_factory.mktemp("model-mariadb"), {"name": "mysql", "args": args})
        server.start()
        yield server
        server.stop()


def live(server: Server, steps: int, seed: int) -> Steps:
    """Let some people live for so many steps, and look at what they see after each; what was done."""
    rng, users = Random(seed), [LeanUser(server.register()) for _ in range(PEOPLE)]
    world = World([user.user_id for user in users])
    doing = Steps(world, users, rng)
    eager = [SyncClient(user, 10, True) for user in users]
    rare = [SyncClient(user, 3, False, "state_after") for user in users]
    sliding = [SlidingClient(user, 10, "eager") for user in users]
    rarely_sliding = [SlidingClient(user, 2, "rare") for user in users]
    ignored = {user.user_id: frozenset[str]() for user in users}
    for number in range(steps):
        try:
            doing.step()
            for user, clients in zip(users, zip(eager, rare, sliding, rarely_sliding, strict=True), strict=True):
                if ignored[user.user_id] != world.ignored[user.user_id]:
                    ignored[user.user_id] = frozenset(world.ignored[user.user_id])
                    for client in clients:  # what was hidden comes, and what was shown goes, only by beginning anew
                        client.reload()
                for client in clients:
                    if client in eager or client in sliding or rng.random() < 0.06:
                        look(world, client)
            user = rng.choice(users)
            compare_reload(world, user)
            compare_history(world, rng.choice(list(world.rooms.values())), user, rng)
        except Exception as failure:
            failure.add_note(f"seed {seed}, step {number}, after:\n" + "\n".join(doing.did[-25:]))
            raise
    for user in users:
        user.close()
    return doing


def look(world: World, client: SyncClient | SlidingClient) -> None:
    """One sync, compared."""
    answer = client.sync()
    if isinstance(client, SyncClient):
        compare_sync(world, client)
    else:
        compare_sliding(world, client, answer)


def test_every_view_agrees_with_the_model_after_each_of_some_steps(server: Server) -> None:
    done = live(server, STEPS, 5)
    assert done.all_kinds() == set(done.kinds)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(4))
def test_every_view_agrees_with_the_model_after_each_of_ten_thousand_steps(server: Server, seed: int) -> None:
    live(server, SOAK_STEPS // 4, 1000 + seed)


@pytest.mark.soak
@pytest.mark.mariadb
@pytest.mark.timeout(7200)
def test_every_view_agrees_with_the_model_on_mariadb(on_mariadb: Server) -> None:
    live(on_mariadb, SOAK_STEPS, 2000)
