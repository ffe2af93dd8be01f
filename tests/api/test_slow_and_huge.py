"""Clients that are slow, stay half open or send too much, against the real server: refused or served, never in the way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.trellis import Server, User
from tests.start.servers import connect, read_all, read_one

HALF = [
    b"",
    b"\x16\x03\x01",
    b"GET /_matrix/client/versions HTTP/1.1\r\nHost",
    b"POST /_matrix/client/v3/login HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{",
    b"POST /_matrix/client/v3/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
]


def head(method: str, path: str, user: User | None = None, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if user is not None:
        lines.append(f"Authorization: Bearer {user.token}")
    return "\r\n".join([*lines, "", ""]).encode()


def answer_of(client: socket.socket) -> tuple[int, dict[str, object]]:
    raw = read_one(client)
    first, _, body = raw.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(body)


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b"10000\r\n" + b"x" * 65_536 + b"\r\n"


def test_hundreds_of_half_open_connections_keep_nobody_waiting(server: Server, alice: User) -> None:
    with ExitStack() as stack:
        for number in range(400):
            client = stack.enter_context(connect(server.port))
            client.sendall(HALF[number % len(HALF)])
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert alice.get("/v3/account/whoami")["user_id"] == alice.user_id
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(server: Server, alice: User) -> None:
    with connect(server.port) as client:
        client.sendall(head("POST", "/_matrix/client/v3/createRoom", alice, "Content-Length: 10000000000"))
        status, told = answer_of(client)
    assert (status, told["errcode"]) == (413, "M_TOO_LARGE")


@pytest.mark.parametrize("path", ["/_matrix/client/v3/createRoom", "/_matrix/client/v3/login"])
def test_a_body_without_end_is_refused_when_it_is_too_much(server: Server, alice: User, path: str) -> None:
    with connect(server.port) as client:
        client.sendall(head("POST", path, alice, "Transfer-Encoding: chunked"))
        try:
            for piece in pieces(300_000_000):
                client.sendall(piece)
        except OSError:
            pass  # the server has answered, and listens no longer
        else:
            pytest.fail("the server took it all")
        answer = read_all(client)
    assert b" 413 " in answer or answer == b"", answer[:200]


def test_pipelined_requests_are_answered_in_order_by_the_real_server(server: Server, alice: User) -> None:
    asked = head("GET", "/_matrix/client/v3/account/whoami", alice)
    with connect(server.port) as client:
        client.sendall(asked * 50 + head("GET", "/_matrix/client/nope", None, "Connection: close"))
        answers = read_all(client)
    assert answers.count(b"HTTP/1.1 200 OK") == 50
    assert answers.rpartition(b"HTTP/1.1 ")[2].startswith(b"404 ")
