"""Where the socket is, and how to reach it however long its path is.

A Unix socket's address holds some hundred bytes only; a longer path is reached through the open folder.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "hsctl.sock"
LONGEST_PATH_BYTES = 100


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """An address of the socket at `path` that is short enough, for the length of the block."""
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in the place of whatever socket was there. Raises: OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with address_of(fresh) as address:
                listener.bind(address)
        finally:
            os.umask(before)
        listener.listen(16)
        os.replace(fresh, path)
    except BaseException:
        listener.close()
        raise
    return listener
