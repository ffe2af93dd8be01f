"""How long the slowest answer of a server takes while something else goes on, seen from a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.servers.trellis import User

_PING = """
import sys, time, http.client, threading
host, port, token = sys.argv[1:]
stop, slowest = threading.Event(), 0
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
connection = http.client.HTTPConnection(host, int(port), timeout=30)
while not stop.is_set():
    begun = time.monotonic()
    connection.request("GET", "/_matrix/client/v3/account/whoami", headers={"Authorization": "Bearer " + token})
    assert connection.getresponse().read()
    slowest = max(slowest, time.monotonic() - begun)
    time.sleep(0.005)
print(slowest)
"""


@contextmanager
def pinging(user: User) -> Iterator[list[float]]:
    """Ask who the user is again and again; afterwards the seconds of the slowest answer are in the list."""
    where, slowest = urlsplit(user.base), list[float]()
    command = [sys.executable, "-c", _PING, str(where.hostname), str(where.port), user.token]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield slowest
        output, _ = process.communicate("")
    slowest.append(float(output))
