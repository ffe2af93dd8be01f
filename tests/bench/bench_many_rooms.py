"""What syncs cost an account in many rooms: `python -m tests.bench.bench_many_rooms [rooms] [--mariadb]`.

Prints CPU of the server's worker and the time until the answer, for both kinds of sync: the first answer right after a
start and later (sliding: for the state that Element X asks for), a request with nothing new, and one with a message, the
last two for an account in 10 rooms and one in all; medians of seven rounds that take turns.
"""

from gevent import monkey

monkey.patch_all()

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.api.client.sliding_client import ELEMENT_X, PATH
from tests.bench.bench_sync import Line, cpu_us, send, worker_of
from tests.servers.trellis import Server, User
from tests.services.mariadb import MariaDb

ROUNDS = 7
REPEATS = 100
EXTENSIONS = {name: {"enabled": True} for name in ("account_data", "receipts", "typing", "to_device", "e2ee")}
LAZY = quote(json.dumps({"room": {"state": {"lazy_load_members": True}}}))


def body(last: int, limit: int, name: str) -> bytes:
    """A request for the first rooms."""
    wanted = {"ranges": [[0, last]], "timeline_limit": limit, "required_state": ELEMENT_X}
    return json.dumps({"conn_id": name, "lists": {"all_rooms": wanted}, "extensions": EXTENSIONS}).encode()


def ask(line: Line, asked: bytes, pos: str = "") -> dict:
    """One sliding sync."""
    path = f"/_matrix/client{PATH}?timeout=0" + (f"&pos={pos}" if pos else "")
    return json.loads(line.ask("POST", path, asked))


def lazy(line: Line, since: str = "") -> dict:
    """One sync of the older kind, with lazy members."""
    path = f"/_matrix/client/v3/sync?timeout=0&filter={LAZY}" + (f"&since={since}" if since else "")
    return json.loads(line.ask("GET", path))


class Sliding:
    """Somebody in many rooms, over a connection that knows them all."""

    name = "sliding"

    def __init__(self, server: Server, user: User, rooms: list[str]) -> None:
        self.rooms, self._line, self._body = rooms, Line(server, user.token), body(9_999, 1, "all")
        self._pos = ask(self._line, self._body)["pos"]

    def next(self) -> int:
        """Sync; how many rooms had news."""
        answer = ask(self._line, self._body, self._pos)
        self._pos = answer["pos"]
        return len(answer["rooms"])


class Classic:
    """The same by /v3/sync."""

    name = "v3"

    def __init__(self, server: Server, user: User, rooms: list[str]) -> None:
        self.rooms, self._line = rooms, Line(server, user.token)
        self._since = lazy(self._line)["next_batch"]

    def next(self) -> int:
        """Sync; how many rooms had news."""
        answer = lazy(self._line, self._since)
        self._since = answer["next_batch"]
        return len(answer.get("rooms", {}).get("join", {}))


def told(pid: int, name: str, asked: Callable[[], int]) -> None:
    """Print what a first answer costs; `asked` returns its number of rooms."""
    before, started = cpu_us(pid), time.monotonic()
    count = asked()
    took, used = (time.monotonic() - started) * 1e3, (cpu_us(pid) - before) / 1e3
    print(f"{name}: {count} rooms, {took:.0f} ms, {used:.0f} ms CPU")


def first_answers(server: Server, user: User) -> None:
    """Each right after a start, and once more."""
    for restarts, which in ((True, " after a start"), (False, "")):
        for name, asked in (
            ("sliding, 20 x 1", lambda line: len(ask(line, body(19, 1, str(time.monotonic())))["rooms"])),
            ("sliding, 100 x 20", lambda line: len(ask(line, body(99, 20, str(time.monotonic())))["rooms"])),
            ("sliding, all x 1", lambda line: len(ask(line, body(9_999, 1, str(time.monotonic())))["rooms"])),
            ("v3, lazy", lambda line: len(lazy(line)["rooms"]["join"])),
        ):
            if restarts:
                server.stop()
                server.start()
            line = Line(server, user.token)
            told(worker_of(server), f"first answer{which}, {name}", lambda asked=asked, line=line: asked(line))


def next_answers(server: Server, owner: User, few: User, many: User, rooms: list[str]) -> None:
    """Nothing new, and a message; by account and kind of sync."""
    accounts = [kind(server, *one) for kind in (Sliding, Classic) for one in ((few, rooms[:10]), (many, rooms))]
    pid, sender = worker_of(server), Line(server, owner.token)
    found: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for account in accounts:
            account.next()
            for news in (0, 1):
                used = 0.0
                for n in range(REPEATS):
                    if news:
                        send(sender, account.rooms[n % 10], f"n{time.monotonic_ns()}")
                    before = cpu_us(pid)
                    assert account.next() == news
                    used += cpu_us(pid) - before
                key = (account.name, ("nothing new", "one message")[news], len(account.rooms))
                found.setdefault(key, []).append(used / REPEATS)
    for (kind, what, size), values in found.items():
        print(f"{kind}, {what}, {size} rooms: {statistics.median(values):.0f} us")


@contextmanager
def database(is_mariadb: bool) -> Iterator[dict | None]:
    """The `database` of a configuration; None is SQLite."""
    if not is_mariadb:
        yield None
        return
    with MariaDb.started(on_disk=True) as running, running.schema() as settings:
        args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
        yield {"name": "mysql", "args": args}


def main() -> None:
    """Measure and print."""
    counts = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    count = counts[0] if counts else 1_500
    with database("--mariadb" in sys.argv) as settings:
        server = Server(Path(tempfile.mkdtemp()), settings).start()
        try:
            owner, many, few = server.register(), server.register(), server.register()
            rooms = []
            for number in range(count):
                rooms.append(owner.create_room(preset="public_chat", name=f"Room {number}"))
                many.join(rooms[-1])
                owner.send(rooms[-1])
            for room in rooms[:10]:
                few.join(room)
            first_answers(server, many)
            next_answers(server, owner, few, many, rooms)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
