"""A network that can be cut: every server reaches the others through a proxy of its own, which knows who may reach whom.

A cut link either refuses connections and ends those that are open, or falls silent: what was sent is held, and arrives
when the link is whole again.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from enum import Enum

import gevent
from gevent.event import Event as Signal
from gevent.server import StreamServer

CHUNK = 65_536
HEAD_BYTES = 4_096


class Cut(Enum):
    """How a link fails."""

    REFUSED = "refused"
    SILENT = "silent"


class Link:
    """What one server can send to another, and the connections it has there."""

    def __init__(self) -> None:
        self.is_refused = False
        self.flows = Signal()
        self.flows.set()
        self.open: set[socket.socket] = set()

    def cut(self, how: Cut) -> None:
        """Break it."""
        if how is Cut.SILENT:
            self.flows.clear()
            return
        self.is_refused = True
        for one in list(self.open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Make it whole."""
        self.is_refused = False
        self.flows.set()


class Network:
    """The proxies and links of some servers, each named by its federation port."""

    def __init__(self) -> None:
        self._links: dict[tuple[int, int], Link] = {}
        self._proxies: list[StreamServer] = []

    def proxy_for(self, source: list[int]) -> str:
        """A new proxy's address; `source` is to hold the port of the server that uses it."""
        server = StreamServer(("127.0.0.1", 0), lambda client, _address: self._serve(client, source[0]))
        server.start()
        self._proxies.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    def link(self, source: int, target: int) -> Link:
        """The link between two servers in one direction."""
        return self._links.setdefault((source, target), Link())

    def heal(self) -> None:
        """Make all whole."""
        for link in self._links.values():
            link.heal()

    def stop(self) -> None:
        """Close everything."""
        for proxy in self._proxies:
            proxy.stop(timeout=0.1)

    def _serve(self, client: socket.socket, source: int) -> None:
        target = _target(client)
        if target is None:
            return
        link = self.link(source, target)
        if link.is_refused:
            client.close()
            return
        link.flows.wait()
        try:
            server = socket.create_connection(("127.0.0.1", target), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with _open(link, client, server):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            pumps = [gevent.spawn(_pump, link, client, server), gevent.spawn(_pump, link, server, client)]
            gevent.joinall(pumps)


@contextlib.contextmanager
def _open(link: Link, *sockets: socket.socket) -> Iterator[None]:
    link.open.update(sockets)
    try:
        yield
    finally:
        link.open.difference_update(sockets)
        for one in sockets:
            one.close()


def _target(client: socket.socket) -> int | None:
    """The port that a CONNECT request asks for."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
        chunk = client.recv(CHUNK)
        if not chunk:
            return None
        head += chunk
    words = head.split(b"\r\n", 1)[0].split()
    return int(words[1].rpartition(b":")[2]) if len(words) == 3 and words[0] == b"CONNECT" else None


def _pump(link: Link, source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes, while the link flows."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            link.flows.wait()
            sink.sendall(chunk)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
