"""Bodies that are read while the application runs: no slower than is decent, and into memory of the reader's.

The time limits are here for both request loops. A body of known length is a file in Python's sense: `readinto` brings
what the socket has straight into the reader's buffer, where reading and joining pieces would copy it several times.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

_Received = TypeVar("_Received")
_LEAST_BYTES_PER_S = 1024
_PIECE_BYTES = 262_144
_UNREAD_BODY_S, _UNREAD_BODY_BYTES = 2.0, 262_144


class Limits(Protocol):
    """How long is waited, in seconds."""

    @property
    def header(self) -> float: ...
    @property
    def body(self) -> float: ...


class PacedSocket:
    """Reads from a socket, giving up on a client that dawdles; afterwards it reads as if the client had gone."""

    def __init__(self, sock: Any, limits: Limits) -> None:
        self._sock, self._limits = sock, limits
        self._deadline = monotonic() + limits.header
        self._body_bytes = -1
        self.has_ended = False

    def start_body(self) -> None:
        """From here on the body is read: pauses are limited, and the average rate."""
        self._body_bytes = 0
        self._deadline = monotonic() + self._limits.body

    def recv(self, size: int) -> bytes:
        """The next bytes; empty at the end or when time is up."""
        return self._received(partial(self._sock.recv, size), len) or b""

    def recv_into(self, memory: memoryview) -> int:
        """The next bytes into `memory`; how many, none at the end or when time is up."""
        return self._received(partial(self._sock.recv_into, memory), int) or 0

    def _received(self, receive: Callable[[], _Received], count: Callable[[_Received], int]) -> _Received | None:
        allowed = self._deadline - monotonic()
        if self._body_bytes >= 0:
            allowed = min(allowed + self._body_bytes / _LEAST_BYTES_PER_S, self._limits.body)
        if allowed <= 0 or self.has_ended:
            self.has_ended = True
            return None
        before, self._sock.timeout = self._sock.timeout, allowed
        try:
            received = receive()
        except TimeoutError:
            self.has_ended = True
            return None
        finally:
            self._sock.timeout = before
        self.has_ended = not received
        if self._body_bytes >= 0:
            self._body_bytes += count(received)
        return received


class LengthBody(io.RawIOBase):
    """`wsgi.input` of a request whose length is known; `held` is what of it was read already."""

    def __init__(self, held: bytes, length: int, sock: PacedSocket) -> None:
        self._held, self._left, self._sock = memoryview(held), length, sock

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, memory: Any) -> int:
        """Fill the beginning of `memory`; how many bytes, none at the end of the body or of the client's patience."""
        memory = memoryview(memory)[: self._left]
        if not len(memory):
            return 0
        if self._held:
            count = min(len(memory), len(self._held))
            memory[:count] = self._held[:count]
            self._held = self._held[count:]
        else:
            count = self._sock.recv_into(memory)
        self._left -= count
        return count

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, all where it is negative or None; fewer only at the end."""
        left = self._left if size is None or size < 0 else min(size, self._left)
        pieces = []
        while left and (piece := super().read(min(left, _PIECE_BYTES))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def finish(self) -> bool:
        """Pass over what was not read, if that is little; whether the next request can follow."""
        deadline, most = monotonic() + _UNREAD_BODY_S, _UNREAD_BODY_BYTES
        while self._left and most > 0 and monotonic() < deadline:
            passed = len(super().read(65_536) or b"")
            if not passed:
                return False
            most -= passed
        return not self._left
