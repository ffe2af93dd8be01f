"""A JSON object read as it arrives: its members one by one, and those that are lists element by element.

It finds where values end and leaves reading them to whoever takes them, so that an answer of a hundred megabytes is never
parsed in one go. What is cut off or no JSON object is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|"|[{}\[\]]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_SPACE = re.compile(rb"[ \t\r\n]*")


def stream_object(pieces: Iterable[bytes], listed: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """(key, JSON) of each member of the object; of a member in `listed`, of each element. Raises ValueError."""
    source = _Source(pieces)
    source.expect(b"{")
    if source.peek() == b"}":
        return
    while True:
        key = source.string().decode()[1:-1]
        source.expect(b":")
        if key in listed:
            yield from ((key, element) for element in source.elements())
        else:
            yield key, source.value()
        if source.expect(b",}") == b"}":
            return


class _Source:
    """What has arrived, and how far it was read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = b""
        self._at = 0

    def peek(self) -> bytes:
        """The next byte that is no space."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = self._at if found is None else found.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            self._fill()

    def expect(self, allowed: bytes) -> bytes:
        """Read one byte, which must be one of `allowed`."""
        found = self.peek()
        if found not in allowed:
            raise ValueError(f"there should be one of {allowed.decode()}, not {found!r}")
        self._at += 1
        return found

    def string(self) -> bytes:
        """Read a string, quotes included."""
        if self.peek() != b'"':
            raise ValueError("a key must be a string")
        return self.value()

    def elements(self) -> Iterator[bytes]:
        """Read a list."""
        self.expect(b"[")
        if self.peek() == b"]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self.expect(b",]") == b"]":
                return

    def value(self) -> bytes:
        """Read any value."""
        first = self.peek()
        if first in b"{[":
            return self._nested()
        pattern = _STRING if first == b'"' else _SCALAR
        while True:
            found = pattern.match(self._buffer, self._at)
            if found is not None and (first == b'"' or found.end() < len(self._buffer)):
                return self._take(found.end())
            self._fill()

    def _nested(self) -> bytes:
        """An object or a list, by counting brackets outside strings."""
        depth, scanned = 0, self._at
        while True:
            for token in _TOKEN.finditer(self._buffer, scanned):
                text = token.group()
                if text == b'"':  # a string that has not arrived in full
                    break
                scanned = token.end()
                if text in b"{[":
                    depth += 1
                elif text in b"}]":
                    depth -= 1
                    if not depth:
                        return self._take(scanned)
            start = self._at
            self._fill()
            scanned -= start - self._at

    def _take(self, end: int) -> bytes:
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def _fill(self) -> None:
        piece = next(self._pieces, b"")
        if not piece:
            raise ValueError("it ends too early")
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
