"""Servers that break HTTP, or off: an error of ours each time, and the connection is not used again."""

from __future__ import annotations

import pytest
from gevent.server import StreamServer

from core.outbound.failures import NoAnswer, NotConnected, TookTooLong

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Raw:
    """Answers the requests of each connection with the bytes given, one after the other, then closes it.

    `None` closes without an answer, "hang" says no more.
    """

    def __init__(self, *connections):
        self.connections, self.requests = list(connections), 0
        self.server = StreamServer(("127.0.0.1", 0), self.handle)
        self.server.start()
        self.url = f"http://localhost:{self.server.server_port}/"

    def handle(self, client, _address):
        for answer in self.connections.pop(0) if self.connections else ():
            while not (head := client.recv(65536)).endswith(b"\r\n\r\n"):
                if not head:
                    return
            self.requests += 1
            if answer is None:
                return
            client.sendall(answer if answer != "hang" else b"")
            if answer == "hang":
                client.recv(65536)


@pytest.fixture
def raw():
    """Make raw servers."""
    made = []

    def make(*connections):
        made.append(Raw(*connections))
        return made[-1]

    yield make
    for server in made:
        server.server.stop()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_complete_http_is_an_error(world, raw, answer):
    server = raw([answer])
    with pytest.raises(NoAnswer):
        world.web.request("GET", server.url)
    assert world.door.open_connections == 0


def test_a_kept_connection_that_dies_unseen_is_replaced_once(world, raw):
    server = raw([OK, None], [OK])
    assert world.web.request("GET", server.url).body == b"ok"
    assert world.web.request("GET", server.url).body == b"ok"
    assert server.requests == 3


def test_a_post_is_not_sent_twice(world, raw):
    server = raw([OK, None], [OK])
    world.web.request("GET", server.url)
    with pytest.raises(NotConnected):
        world.web.request("POST", server.url)
    assert server.requests == 2


@pytest.mark.parametrize(
    "begun",
    [b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200 OK\r\n\r\nendless"],
)
def test_an_answer_that_stops_in_the_middle_is_given_up_in_time(world, raw, begun):
    server = raw([begun, "hang"])
    with pytest.raises(TookTooLong):
        world.web.request("GET", server.url, timeout_ms=50)
    assert world.door.open_connections == 0


def test_a_body_that_unpacks_to_more_than_allowed_is_refused(world, raw):
    import gzip

    packed = gzip.compress(b"\0" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    server = raw([head + packed])
    with pytest.raises(NoAnswer, match="longer"):
        world.web.request("GET", server.url, max_bytes=100_000)
