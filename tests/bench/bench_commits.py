"""What an operation writes: `python -m tests.bench.bench_commits [repetitions]`; prints a line an operation.

The server runs in this process, with defaults and without a network. Each operation is done so often one after another,
each after the server has come to rest: transactions of the writer (each waits once for the disk), the statements in
them, and the CPU of this process, rest included. A transaction that several operations share counts as a part of one.
"""

from gevent import monkey

monkey.patch_all()

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent

from tests.servers.in_process import InProcess

REST_SECONDS = 0.7
"""Consumers that let changes gather wait for half a second."""
CLIENT = "/_matrix/client/v3"


class Counted(InProcess):
    """The server, with the statements of its writer counted by their first words."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.statements: Counter[str] = Counter()
        connection: Any = self.app.ground.storage.writer._connection
        connection.set_trace_callback(self._note)

    def _note(self, sql: str) -> None:
        self.statements[" ".join(sql.split()[:3])] += 1


def operations(ours: Counted) -> dict[str, Callable[[], object]]:
    """What is measured, by name, with everything it needs set up."""
    users = [ours.register() for _ in range(100)]
    alice, bob = users[0], users[1]
    at, bt = alice["access_token"], bob["access_token"]
    room = ours.ask("POST", f"{CLIENT}/createRoom", at, {"preset": "public_chat"})["room_id"]
    for user in users[1:8]:
        ours.ask("POST", f"{CLIENT}/join/{quote(room)}", user["access_token"], {})
    base = f"{CLIENT}/rooms/{quote(room)}"
    events = [ours.ask("PUT", f"{base}/send/m.room.message/s{n}", at, _text(n))["event_id"] for n in range(4)]
    keys = {f"signed_curve25519:K{n}": _key(bob, n) for n in range(170)}
    for start in range(0, len(keys), 50):
        part = dict(list(keys.items())[start : start + 50])
        ours.ask("POST", f"{CLIENT}/keys/upload", bt, {"one_time_keys": part})
    uploaders = iter([ours.register() for _ in range(120)])
    guests = iter([ours.register() for _ in range(300)])

    def receipt() -> object:
        path = f"{base}/receipt/m.read/{quote(events[ours.number() % 4])}"
        return ours.ask("POST", path, bt, {})

    def typing() -> object:
        n = ours.number()
        path = f"{base}/typing/{quote(bob['user_id'])}"
        return ours.ask("PUT", path, bt, {"typing": n % 2 == 0, "timeout": 30_000})

    def claim() -> object:
        wanted = {bob["user_id"]: {bob["device_id"]: "signed_curve25519"}}
        return ours.ask("POST", f"{CLIENT}/keys/claim", at, {"one_time_keys": wanted})

    def upload() -> object:
        n = ours.number()
        user = next(uploaders)
        part = {f"signed_curve25519:X{n}_{i}": _key(user, i) for i in range(50)}
        return ours.ask("POST", f"{CLIENT}/keys/upload", user["access_token"], {"one_time_keys": part})

    def to_device() -> object:
        content = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": {"k": {"type": 1, "body": "A" * 400}}}
        messages = {user["user_id"]: {user["device_id"]: content} for user in users}
        return ours.ask("PUT", f"{CLIENT}/sendToDevice/m.room.encrypted/t{ours.number()}", at, {"messages": messages})

    return {
        "send": lambda: ours.ask("PUT", f"{base}/send/m.room.message/t{ours.number()}", at, _text(1)),
        "register": ours.register,
        "claim of one key": claim,
        "to-device, 100 devices": to_device,
        "upload of 50 keys": upload,
        "receipt": receipt,
        "typing": typing,
        "join": lambda: ours.ask("POST", f"{CLIENT}/join/{quote(room)}", next(guests)["access_token"], {}),
        "invite": lambda: ours.ask("POST", f"{base}/invite", at, {"user_id": next(guests)["user_id"]}),
        "createRoom": lambda: ours.ask("POST", f"{CLIENT}/createRoom", at, {"preset": "private_chat"}),
    }


def measure(ours: Counted, name: str, run: Callable[[], object], times: int, rest_seconds: float) -> None:
    """Do it so often and print what it took."""
    figures = ours.app.ground.storage.writer.figures
    gevent.sleep(3 * REST_SECONDS)
    ours.statements.clear()
    groups, cpu = figures.groups, time.process_time()
    for _ in range(times):
        run()
        gevent.sleep(rest_seconds)
    gevent.sleep(3 * REST_SECONDS)
    groups, cpu = figures.groups - groups, time.process_time() - cpu
    statements = sum(ours.statements.values())
    print(f"{name:24} {groups / times:6.2f} {statements / times:7.1f} {1000 * cpu / times:8.2f}", flush=True)
    if "-v" in sys.argv:
        for sql, count in ours.statements.most_common():
            print(f"      {count / times:6.2f} {sql}")


def main(times: int) -> None:
    """Each operation at rest, then one right after another."""
    with tempfile.TemporaryDirectory() as folder:
        ours = Counted(Path(folder))
        try:
            for rest in (REST_SECONDS, 0.0):
                print(f"{'at rest' if rest else 'one after another':24} groups   stmts   CPU ms")
                count = max(times // 10, 3) if rest else times
                for name, run in operations(ours).items():
                    measure(ours, name, run, count, rest)
        finally:
            ours.close()


def _text(number: int) -> dict[str, str]:
    return {"msgtype": "m.text", "body": f"message {number}"}


def _key(user: dict[str, Any], number: int) -> dict[str, Any]:
    signature = {user["user_id"]: {f"ed25519:{user['device_id']}": "s" * 86}}
    return {"key": f"{number:043d}", "signatures": signature}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
