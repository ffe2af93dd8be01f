"""How the limit on open files is shared out: clients, other machines, and the server's own files."""

from __future__ import annotations

OWN_FILES = 64
"""For the database, the log, media being read, and what Python holds."""
MOST_OUTGOING = 500
"""Most outgoing connections, whatever the limit."""
LEAST = 8


def for_outgoing(limit: int) -> int:
    """How many outgoing connections may be open: a quarter of the limit."""
    return max(LEAST, min(MOST_OUTGOING, limit // 4))


def for_clients(limit: int) -> int:
    """How many connections of clients and servers to us may be open: what the rest leaves."""
    return max(LEAST, limit - for_outgoing(limit) - OWN_FILES)
