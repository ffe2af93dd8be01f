"""What sliding syncs cost an account in many rooms: `python -m tests.bench.bench_sliding [rooms]`.

Prints CPU of the server's worker and the time until the answer, for the state that Element X asks for: the first answer
right after a start and later, all rooms at once, a request with nothing new, and one with a message, the last two also
for an account in 10 rooms; medians of seven rounds that take turns.
"""

from gevent import monkey

monkey.patch_all()

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.api.client.sliding_client import ELEMENT_X, PATH
from tests.bench.bench_sync import Line, cpu_us, send, worker_of
from tests.servers.trellis import Server, User

ROUNDS = 7
REPEATS = 100
EXTENSIONS = {name: {"enabled": True} for name in ("account_data", "receipts", "typing", "to_device", "e2ee")}


def body(last: int, limit: int, name: str) -> bytes:
    """A request for the first rooms."""
    wanted = {"ranges": [[0, last]], "timeline_limit": limit, "required_state": ELEMENT_X}
    return json.dumps({"conn_id": name, "lists": {"all_rooms": wanted}, "extensions": EXTENSIONS}).encode()


def ask(line: Line, asked: bytes, pos: str = "") -> dict:
    """One request."""
    path = f"/_matrix/client{PATH}?timeout=0" + (f"&pos={pos}" if pos else "")
    return json.loads(line.ask("POST", path, asked))


class Account:
    """Somebody in many rooms, over a connection that knows them all."""

    def __init__(self, server: Server, user: User, rooms: list[str]) -> None:
        self.user, self.rooms, self.line = user, rooms, Line(server, user.token)
        self.body = body(9_999, 1, "all")

    def begin(self) -> None:
        """Get to know all rooms."""
        self.pos = ask(self.line, self.body)["pos"]

    def nothing(self) -> None:
        """A request with nothing new."""
        self.pos = ask(self.line, self.body, self.pos)["pos"]

    def news(self, sender: Line, n: int) -> None:
        """A request with a message in one room."""
        send(sender, self.rooms[n % len(self.rooms)], f"n{time.monotonic_ns()}")
        answer = ask(self.line, self.body, self.pos)
        assert len(answer["rooms"]) == 1, answer
        self.pos = answer["pos"]


def told(pid: int, name: str, line: Line, asked: bytes) -> None:
    """Print what a first answer costs."""
    before, started = cpu_us(pid), time.monotonic()
    count = len(ask(line, asked)["rooms"])
    took, used = (time.monotonic() - started) * 1e3, (cpu_us(pid) - before) / 1e3
    print(f"{name}: {count} rooms, {took:.0f} ms, {used:.0f} ms CPU")


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_500
    server = Server(Path(tempfile.mkdtemp())).start()
    try:
        owner, many, few = server.register(), server.register(), server.register()
        rooms = []
        for number in range(count):
            rooms.append(owner.create_room(preset="public_chat", name=f"Room {number}"))
            many.join(rooms[-1])
            owner.send(rooms[-1])
        for room in rooms[:10]:
            few.join(room)
        server.stop()
        server.start()
        pid = worker_of(server)
        line = Line(server, many.token)
        told(pid, "first answer after a start, 20 x 1", line, body(19, 1, "a"))
        told(pid, "first answer, 20 x 1", line, body(19, 1, "b"))
        told(pid, "first answer, 100 x 20", line, body(99, 20, "c"))
        told(pid, "all rooms, cold", line, body(9_999, 1, "d"))
        told(pid, "all rooms", line, body(9_999, 1, "e"))
        accounts, sender = (Account(server, few, rooms[:10]), Account(server, many, rooms)), Line(server, owner.token)
        for account in accounts:
            account.begin()
        found: dict[tuple[str, int], list[float]] = {}
        for _ in range(ROUNDS):
            for account in accounts:
                for name, once in (("nothing new", None), ("one message", sender)):
                    before = cpu_us(pid)
                    for n in range(REPEATS):
                        account.nothing() if once is None else account.news(once, n)
                    found.setdefault((name, len(account.rooms)), []).append((cpu_us(pid) - before) / REPEATS)
        for (name, size), values in found.items():
            print(
                f"{name}, {size} rooms: {statistics.median(values):.0f} us (with its send)"
                if "one" in name
                else f"{name}, {size} rooms: {statistics.median(values):.0f} us"
            )
    finally:
        server.stop()


if __name__ == "__main__":
    main()
