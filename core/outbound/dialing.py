"""Connections of urllib3 that leave dialing to us.

The library takes 1 MB and 20 ms to load, so nothing imports this before something has to be connected to.
"""

from __future__ import annotations

import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection


class PlainConnection(HTTPConnection):
    """A connection that leaves resolving and connecting to us, and sends head and body of a request in one write."""

    def __init__(self, *args: Any, dial: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dial = dial
        self._held: list[bytes] | None = None

    def request(self, *args: Any, **options: Any) -> None:
        """As the library's, held back until it is whole: a write costs more than copying what it writes."""
        self._held = []
        try:
            super().request(*args, **options)
            whole = b"".join(self._held)
        finally:
            self._held = None
        super().send(whole)

    def send(self, data: Any) -> None:
        """Send, or hold back while a request is being put together."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    def _new_conn(self) -> socket.socket:
        found: socket.socket = self._dial()
        return found


class TlsConnection(PlainConnection, HTTPSConnection):
    """The same over TLS."""
