"""From a server's name to where it listens.

The steps are numbered as in the specification. Nothing is connected to here except for the delegation's document:
addresses are resolved, and refused where they must be, at the moment of connecting.

Spec: Server-Server API, "Resolving server names".
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from core.errors import InvalidParam
from core.federation.server_names import NameParts, find_name_parts
from core.federation.srv import in_order
from core.federation.well_known import WellKnown
from core.ids import ServerName
from core.outbound.connecting import Endpoint
from core.outbound.failures import NameUnknown, NoAnswer
from core.outbound.names import Names, Service

DEFAULT_PORT = 8448
SERVICES = ("_matrix-fed._tcp", "_matrix._tcp")
MAX_ROUTES = 4
"""How many targets of a service are tried."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a server: where to connect, and the Host header to send."""

    endpoint: Endpoint
    host: str


@dataclass(frozen=True, slots=True)
class Found:
    """The ways to a server, best first, and in words how they were found."""

    routes: tuple[Route, ...]
    steps: tuple[str, ...]


class Discovery:
    """Finds servers."""

    def __init__(self, names: Names, well_known: WellKnown, random: Random | None = None) -> None:
        self._names = names
        self._well_known = well_known
        self._random = random or Random()

    def find(self, server: ServerName) -> Found:
        """The ways to `server`. Raises InvalidParam for what is no server name, NameUnknown for one without service."""
        parts = find_name_parts(server)
        if parts is None:
            raise InvalidParam(f"{server[:255]!r} is not a server name.")
        direct = _direct(parts, server)
        if direct is not None:
            return direct
        delegation = self._well_known.find(parts.host)  # step 3
        if delegation.server is None:
            steps = [f"No delegation: {delegation.reason}."]
            return self._by_service(parts, server, steps)
        delegated = find_name_parts(delegation.server)
        assert delegated is not None, "delegations are checked when they are read"
        steps = [f"{parts.host} delegates to {delegation.server}."]
        found = _direct(delegated, delegation.server)  # steps 3.1 and 3.2
        if found is not None:
            return Found(found.routes, (*steps, *found.steps))
        return self._by_service(delegated, delegation.server, steps)

    def _by_service(self, parts: NameParts, header: str, steps: list[str]) -> Found:
        """Steps 3.3 to 3.5 for a delegated name, 4 to 6 for one that does not delegate."""
        for service in SERVICES:
            name = f"{service}.{parts.host}"
            try:
                records = self._names.services(name)
            except NoAnswer as error:
                steps.append(error.sentence)
                continue
            if records:
                return self._to_services(parts, header, name, list(records), steps)
            steps.append(f"There is no service {name}.")
        steps.append(f"The port is {DEFAULT_PORT}, as nothing says otherwise.")
        return Found((_route(parts, DEFAULT_PORT, header),), tuple(steps))

    def _to_services(self, parts: NameParts, header: str, name: str, records: list[Service], steps: list[str]) -> Found:
        usable = [record for record in in_order(records, self._random) if record.host and record.port]
        if not usable:
            raise NameUnknown(f"{name} says that there is no such service.")
        targets = ", ".join(f"{record.host}:{record.port}" for record in usable[:MAX_ROUTES])
        steps.append(f"The service {name} is at {targets}.")
        routes = [Route(Endpoint(record.host, record.port, parts.host), header) for record in usable[:MAX_ROUTES]]
        return Found(tuple(routes), tuple(steps))


def _direct(parts: NameParts, header: str) -> Found | None:
    """Steps 1 and 2: a name that says itself where it is."""
    if not parts.is_literal and parts.port is None:
        return None
    port = parts.port if parts.port is not None else DEFAULT_PORT
    said = "its name is an address" if parts.is_literal else "its name has a port"
    return Found((_route(parts, port, header),), (f"{header} is asked itself: {said}.",))


def _route(parts: NameParts, port: int, header: str) -> Route:
    return Route(Endpoint(parts.host, port, parts.host), header)
