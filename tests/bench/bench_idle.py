"""What waiting clients cost: `python -m tests.bench.bench_idle [accounts]`; prints JSON.

So many accounts, each on a connection of its own, are in one room and wait with a long-poll; then one of them sends a
message. Presence is off: with it, everybody who comes is an event for all. Idle connections are kept for an hour, since
on a busy machine the last client may come long after the first.
"""

from gevent import monkey

monkey.patch_all()

import hashlib
import hmac
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import gevent
import gevent.pool

from tests.bench.bench_sync import Line, cpu_us, memory_kb, send, worker_of
from tests.servers.trellis import SECRET, Server

AT_ONCE = 16
POLL_MS = 180_000
FIRST_SYNC = "/_matrix/client/v3/sync?filter=" + quote('{"room":{"state":{"lazy_load_members":true}}}')
WAKE_SECONDS = 60


def register(line: Line, name: str) -> str:
    """A new account; its token."""
    path = "/_synapse/admin/v1/register"
    nonce = json.loads(line.ask("GET", path))["nonce"]
    mac = hmac.new(SECRET.encode(), "\0".join((nonce, name, "password", "notadmin")).encode(), hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": name, "password": "password", "admin": False, "mac": mac}
    answer = json.loads(line.ask("POST", path, json.dumps(body).encode()))
    assert "access_token" in answer, answer
    return answer["access_token"]


def arrive(server: Server, number: int, room: str) -> Line:
    """One client more, registered and in the room: its connection."""
    anonymous = Line(server, "none")
    line = Line(server, register(anonymous, f"idle{number}"))
    anonymous.close()
    line.ask("POST", f"/_matrix/client/v3/join/{quote(room)}", b"{}")
    return line


def measure(server: Server, accounts: int) -> dict[str, float]:
    """Let them come, wait, and be told of a message."""
    pid, alice = worker_of(server), server.register()
    room, empty_kb = alice.create_room(preset="public_chat"), memory_kb(pid)
    started = time.monotonic()
    lines = gevent.pool.Pool(AT_ONCE).map(lambda number: arrive(server, number, room), range(accounts))
    here = time.monotonic()
    before_kb = memory_kb(pid)
    # a sync before the last has joined would tell each of all who joined after it, 10,000 times up to 10,000
    tokens = gevent.pool.Pool(AT_ONCE).map(lambda line: json.loads(line.ask("GET", FIRST_SYNC))["next_batch"], lines)
    told_kb = memory_kb(pid)
    waiting = [gevent.spawn(line.sync, token, POLL_MS) for line, token in zip(lines, tokens, strict=True)]
    gevent.sleep(2 + accounts / 1000)
    waiting_kb, used, sent = memory_kb(pid), cpu_us(pid), time.monotonic()
    send(Line(server, alice.token), room, "wake")
    gevent.joinall(waiting, timeout=WAKE_SECONDS)
    all_told = time.monotonic()
    told = sum(b"hello hello hello" in (one.value or b"") for one in waiting)
    return {
        "accounts": accounts,
        "told": told,
        "seconds_until_all_were_told": round(all_told - sent, 2),
        "cpu_us_each": round((cpu_us(pid) - used) / accounts),
        "empty_mb": round(empty_kb / 1024),
        "connected_mb": round(before_kb / 1024),
        "synced_mb": round(told_kb / 1024),
        "waiting_mb": round(waiting_kb / 1024),
        "told_mb": round(memory_kb(pid) / 1024),
        "kb_each": round((waiting_kb - empty_kb) / accounts, 1),
        "seconds_to_arrive": round(here - started, 1),
    }


def main(accounts: int) -> None:
    """Measure and print."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), presence={"enabled": False}, http={"keepalive": "1h"}).start()
        try:
            print(json.dumps(measure(server, accounts), indent=1))
        finally:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
