"""What syncs cost: `python -m tests.bench.bench_sync [waiters]`; prints CPU of the server's worker per operation.

A real server on SQLite is asked over kept-alive connections. Waiters are all in one room, which gets one event.
"""

from gevent import monkey

monkey.patch_all()

import json
import socket
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import gevent
import gevent.pool

from tests.servers.trellis import Server, User

NOOPS = 3000
ROUNDS = 20
INITIALS = 10


class Line:
    """One kept-alive connection of one user, speaking as little HTTP as there is."""

    def __init__(self, server: Server, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._head = f" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """One request; the answer's body."""
        length = f"Content-Length: {len(body)}\r\n" if method != "GET" else ""
        self._socket.sendall(f"{method} {path}{self._head}{length}\r\n".encode() + body)
        size = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return self._file.read(size)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def sync(self, since: str = "", timeout: int = 0) -> bytes:
        """One sync."""
        return self.ask("GET", f"/_matrix/client/v3/sync?timeout={timeout}" + (f"&since={since}" if since else ""))


def worker_of(server: Server) -> int:
    """The process id of the server's one worker."""
    master = server.process.pid
    return int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])


def cpu_us(pid: int) -> float:
    """Microseconds of CPU that all threads of a process have used."""
    return (
        sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
        / 1e3
    )


def send(line: Line, room: str, txn: str) -> None:
    """Send one message."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{txn}"
    line.ask("PUT", path, b'{"msgtype":"m.text","body":"hello hello hello"}')


def bench_noop(pid: int, line: Line) -> float:
    """A sync with nothing new."""
    token = json.loads(line.sync())["next_batch"]
    line.sync(token)
    before = cpu_us(pid)
    for _ in range(NOOPS):
        line.sync(token)
    return (cpu_us(pid) - before) / NOOPS


def bench_incremental(server: Server, pid: int, sender: Line, room: str) -> float:
    """A sync with five messages in one room; the members sync one after another."""
    users = [server.register() for _ in range(30)]
    for user in users:
        user.join(room)
    lines = [Line(server, user.token) for user in users]
    tokens, used = [json.loads(line.sync())["next_batch"] for line in lines], 0.0
    for number in range(ROUNDS):
        for part in range(5):
            send(sender, room, f"i{number}-{part}")
        gevent.sleep(0.03)  # what the sends leave behind is not the syncs'
        before = cpu_us(pid)
        answers = [line.sync(token) for line, token in zip(lines, tokens, strict=True)]
        used += cpu_us(pid) - before
        tokens = [json.loads(answer)["next_batch"] for answer in answers]
    return used / ROUNDS / len(lines)


def bench_wake(server: Server, pid: int, room: str, sender: Line, waiters: int) -> tuple[float, float, float]:
    """(CPU per woken waiter, seconds until all had the event, kilobytes of the worker per waiter)."""
    users = [server.register() for _ in range(min(waiters, 50))]
    for user in users:
        user.join(room)
    lines = [Line(server, users[number % len(users)].token) for number in range(waiters)]
    tokens = gevent.pool.Pool(20).map(lambda line: json.loads(line.sync())["next_batch"], lines[: len(users)])
    memory = memory_kb(pid)
    waiting = [gevent.spawn(line.sync, tokens[number % len(users)], 60_000) for number, line in enumerate(lines)]
    gevent.sleep(1 + waiters / 2000)
    memory = memory_kb(pid) - memory
    before, started = cpu_us(pid), time.monotonic()
    send(sender, room, "wake")
    gevent.joinall(waiting, timeout=60)
    assert all(b"wake" in one.value or b"hello" in one.value for one in waiting)
    return (cpu_us(pid) - before) / waiters, time.monotonic() - started, memory / waiters


def memory_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def bench_initial(server: Server, pid: int, user: User) -> tuple[float, float]:
    """(CPU of an initial sync of 100 rooms with 10 members and 20 messages each, right after a start; when warm)."""
    members = [server.register() for _ in range(9)]
    for _ in range(100):
        room = user.create_room(preset="public_chat")
        for member in members:
            member.join(room)
        for number in range(20):
            members[number % 9].send(room, f"m{number}")
    server.stop()
    server.start()
    pid, line = worker_of(server), Line(server, user.token)
    line.ask("GET", "/_matrix/client/v3/account/whoami")
    before = cpu_us(pid)
    line.sync()
    cold = cpu_us(pid) - before
    before = cpu_us(pid)
    for _ in range(INITIALS):
        line.sync()
    return cold, (cpu_us(pid) - before) / INITIALS


def main(waiters: int) -> None:
    """Run all and print."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder)).start()
        try:
            pid = worker_of(server)
            alice, bob = server.register(), server.register()
            room = alice.create_room(preset="public_chat")
            bob.join(room)
            line, sender = Line(server, alice.token), Line(server, bob.token)
            print(f"no-op sync              {bench_noop(pid, line):8.0f} us")
            print(f"incremental, 5 events   {bench_incremental(server, pid, sender, room):8.0f} us")
            each, seconds, memory = bench_wake(server, pid, room, sender, waiters)
            print(f"wake of {waiters:6} waiters  {each:8.0f} us each, all within {seconds:.2f} s, {memory:.0f} KB each")
            cold, warm = bench_initial(server, pid, server.register())
            print(f"initial, 100 rooms      {cold / 1000:8.1f} ms cold, {warm / 1000:.1f} ms warm")
        finally:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
