"""The greenlets that serve connections, and the servers that start them.

A greenlet keeps the pages of its stack that the deepest call so far has touched: 8 KB more for a connection that logged
in once, for as long as it stays open. So after work of some length another greenlet goes on with the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

WAITED_KEY = "trellis.waited_s"
"""Where a view that waits on purpose (a long poll) leaves the seconds it waited, so that they do not count as work."""


class Connections(Pool):  # type: ignore[misc] # gevent has no types
    """At most so many, of all listeners together."""

    def go_on(self, serve: Callable[..., None], *arguments: Any) -> None:
        """Have a fresh greenlet serve in the place of the current one, which is to end now."""
        self.discard(gevent.getcurrent())
        self.spawn(serve, *arguments)


class ConnectionServer(StreamServer):  # type: ignore[misc] # gevent has no types
    """Leaves it to whoever serves a connection to close it: that need not be the greenlet it began with."""

    def do_close(self, *args: Any) -> None:
        """Nothing."""
