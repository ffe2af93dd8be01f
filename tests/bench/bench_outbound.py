"""What a signed request costs: `python -m tests.bench.bench_outbound`; CPU of the asking side, in microseconds.

A server in another process answers over TLS; the same request is made over one kept connection, and to many names over
a new connection each.
"""

# gevent patches before anything else is imported
from gevent import monkey

monkey.patch_all()

import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import gevent

from core.config.federation import FederationConfig
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.discovery import Discovery
from core.federation.signed_client import Patience, Patiences, SignedClient
from core.federation.well_known import WellKnown
from core.ids import ServerName
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector
from core.outbound.door import Door
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from core.outbound.web import Web
from core.storage.connections import SqliteSettings
from core.storage.destinations import DestinationStore
from core.storage.opening import open_storage
from tests.servers.names import FakeNames
from tests.servers.remote import make_certificate, new_key, running

KEPT, NEW = 1500, 200
OWN = ServerName("own.test")
BODY = {"origin": OWN, "pdus": [{"type": "m.room.message", "content": {"body": "x" * 200}}] * 3}


def serve(folder: Path) -> None:
    """Be the other server; prints its port."""
    certificate = make_certificate(folder, "DNS:localhost,DNS:*.hs.test")
    with running(certificate) as remote:
        remote.answer("/x", {"pdus": {}})
        print(remote.port, flush=True)
        while True:
            gevent.sleep(1)
            remote.requests.clear()


def cpu() -> float:
    """Seconds of this process."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, port: str) -> None:
    """Ask, and print what it cost."""
    hosts = {f"s{number}.hs.test": ["127.0.0.1"] for number in range(NEW)}
    names = Names(FakeNames({"localhost": ["127.0.0.1"], **hosts}))
    rules = AddressRules(FederationConfig().ip_range_blacklist, ["127.0.0.0/8"])
    door = Door(Connector(names, rules, Trust(authorities=[str(folder / "cert.pem")]), Proxies()), NEW + 10)
    storage = open_storage(SqliteSettings(folder / "hs.db"), OWN)
    backoff = Backoff(DestinationStore(storage.database), storage.writer, 600_000, 2, 604_800_000)
    once = Patience(20_000, 0, 0)
    client = SignedClient(
        new_key(), AllowedServers(OWN, None), Discovery(names, WellKnown(Web(door))), door, backoff,
        Patiences(once, once, once),
    )  # fmt: skip
    server = ServerName(f"localhost:{port}")
    client.put(server, "/x", BODY)
    begun = cpu()
    for _ in range(KEPT):
        client.put(server, "/x", BODY)
    print(f"kept connection  {(cpu() - begun) / KEPT * 1e6:7.0f} us")
    begun = cpu()
    for host in hosts:
        client.put(ServerName(f"{host}:{port}"), "/x", BODY)
    print(f"new connection   {(cpu() - begun) / NEW * 1e6:7.0f} us")
    storage.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as name:
        other = subprocess.Popen([sys.executable, "-m", "tests.bench.bench_outbound", name], stdout=subprocess.PIPE)
        try:
            assert other.stdout is not None
            measure(Path(name), other.stdout.readline().decode().strip())
        finally:
            other.kill()
