"""Names to addresses: DNS with a memory of what was found and of what was not.

Addresses come from c-ares inside gevent (it reads /etc/hosts, and a slow name holds up nobody else), service records
from dnspython. Both are behind `Lookup`, so tests answer for the whole world.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import gevent
from gevent.lock import BoundedSemaphore

from core.outbound.addresses import find_address
from core.outbound.failures import NameUnknown, NoAnswer, TookTooLong
from core.outbound.single_flight import SingleFlight

FOUND_SECONDS = 60.0
"""For how long addresses are remembered; c-ares does not tell how long they may be."""
UNKNOWN_SECONDS = 60.0
"""For how long it is remembered that a name does not exist."""
FAILED_SECONDS = 5.0
"""For how long a failed question is not asked again."""
LONGEST_SECONDS = 3600.0
"""Service records are remembered as long as they say, and at most this long."""
MAX_REMEMBERED = 10_000
"""How many names are remembered, of each kind; the ones not used for longest go first."""
LOOKUP_SECONDS = 10.0
"""How long one question may take."""
SERVICE_SECONDS = 5.0
"""The same for service records, of which there may be two in a row."""
MAX_LOOKUPS = 32
"""How many questions are under way at once; each holds a file descriptor."""

_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record. `host` is without a dot at its end; empty where the record says there is no such service."""

    host: str
    port: int
    priority: int
    weight: int


class Lookup(Protocol):
    """Who is asked about names not remembered."""

    def addresses(self, host: str) -> Sequence[str]:
        """The addresses of a name, best first. Raises NameUnknown where it has none, NoAnswer where nobody tells."""

    def services(self, name: str) -> tuple[Sequence[Service], float]:
        """The SRV records of a name, none where there are none, and for how many seconds that is true."""


class SystemLookup:
    """The system's name servers. Make one per process, after gevent has patched."""

    def __init__(self) -> None:
        try:
            from gevent.resolver.ares import Resolver  # opens a channel to the name servers

            self._getaddrinfo = Resolver().getaddrinfo
        except ImportError:  # gevent was built without it: its threads resolve
            self._getaddrinfo = gevent.get_hub().resolver.getaddrinfo
        self._slots = BoundedSemaphore(MAX_LOOKUPS)

    def addresses(self, host: str) -> Sequence[str]:
        """As the Protocol says."""
        with self._slots, gevent.Timeout(LOOKUP_SECONDS, TookTooLong(f"The name {host} was not resolved in time.")):
            try:
                found = self._getaddrinfo(host, 0, socket.AF_UNSPEC, socket.SOCK_STREAM)
            except (socket.gaierror, UnicodeError) as error:
                if isinstance(error, UnicodeError) or error.errno in _UNKNOWN:
                    raise NameUnknown(f"There is no address for the name {host}.") from error
                raise NoAnswer(f"The name {host} could not be resolved: {error.strerror}.") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def services(self, name: str) -> tuple[Sequence[Service], float]:
        """As the Protocol says."""
        import dns.exception  # here, as it takes long to load and is seldom needed
        import dns.resolver

        with self._slots:
            try:
                answer: Any = dns.resolver.resolve(name, "SRV", lifetime=SERVICE_SECONDS, search=False)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                return (), UNKNOWN_SECONDS
            except dns.exception.DNSException as error:
                raise NoAnswer(f"The service {name} could not be looked up: {type(error).__name__}.") from error
        records = [
            Service(str(record.target).rstrip("."), record.port, record.priority, record.weight) for record in answer
        ]
        return records, float(answer.rrset.ttl)


class _Memory(Generic[_Found]):
    """Answers and failures of one kind of question, each until its time is over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, _Found | NoAnswer]] = OrderedDict()
        self._flights: SingleFlight[str, _Found] = SingleFlight()

    def get(self, name: str, ask: Callable[[str], tuple[_Found, float]]) -> _Found:
        if self._is_kept(name):
            return self._recall(name)
        return self._flights.do(name, lambda: self._ask(name, ask))

    def _is_kept(self, name: str) -> bool:
        kept = self._kept.get(name)
        return kept is not None and self._clock() < kept[0]

    def _recall(self, name: str) -> _Found:
        self._kept.move_to_end(name)
        found = self._kept[name][1]
        if isinstance(found, NoAnswer):
            raise type(found)(found.sentence)
        return found

    def _ask(self, name: str, ask: Callable[[str], tuple[_Found, float]]) -> _Found:
        if self._is_kept(name):  # another flight came in while this one waited
            return self._recall(name)
        try:
            found, seconds = ask(name)
        except NoAnswer as error:
            self._keep(name, error, UNKNOWN_SECONDS if isinstance(error, NameUnknown) else FAILED_SECONDS)
            raise
        self._keep(name, found, seconds)
        return found

    def _keep(self, name: str, found: _Found | NoAnswer, seconds: float) -> None:
        self._kept[name] = (self._clock() + seconds, found)
        self._kept.move_to_end(name)
        while len(self._kept) > MAX_REMEMBERED:
            self._kept.popitem(last=False)


class Names:
    """Answers from memory, and asks where that has none; one question at a time for each name."""

    def __init__(self, lookup: Lookup | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup if lookup is not None else SystemLookup()
        self._addresses: _Memory[Sequence[str]] = _Memory(clock)
        self._services: _Memory[Sequence[Service]] = _Memory(clock)

    def addresses(self, host: str) -> Sequence[str]:
        """The addresses of `host`, itself where it is an address. Raises NameUnknown, NoAnswer."""
        literal = find_address(host)
        if literal is not None:
            return (str(literal),)
        return self._addresses.get(host.lower(), lambda name: (self._lookup.addresses(name), FOUND_SECONDS))

    def services(self, name: str) -> Sequence[Service]:
        """The SRV records of `name`, none where there are none. Raises NoAnswer where nobody tells."""
        return self._services.get(name.lower(), self._ask_services)

    def _ask_services(self, name: str) -> tuple[Sequence[Service], float]:
        found, seconds = self._lookup.services(name)
        return found, min(max(seconds, FAILED_SECONDS), LONGEST_SECONDS)
