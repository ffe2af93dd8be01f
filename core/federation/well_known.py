"""Delegation: what a host says under `/.well-known/matrix/server`, remembered within the specification's bounds.

A host that used to delegate and does not answer for a while keeps its delegation until the longest time is over:
forgetting it would send its traffic to a port where nobody listens.

Spec: Server-Server API, "Resolving server names", step 3.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import Random

import orjson

from core.errors import MatrixError
from core.federation.server_names import find_name_parts
from core.ids import ServerName
from core.outbound.single_flight import SingleFlight
from core.outbound.web import Web

PATH = "/.well-known/matrix/server"
MAX_BYTES = 51_200
"""Longest document read: 50 KiB."""
TIMEOUT_MS = 15_000
MAX_REDIRECTS = 10
DEFAULT_SECONDS = 24 * 3600.0
"""How long an answer counts that does not say so itself."""
SHORTEST_SECONDS = 300.0
LONGEST_SECONDS = 48 * 3600.0
FIRST_FAILURE_SECONDS = 60.0
LONGEST_FAILURE_SECONDS = 3600.0
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Delegation:
    """What is known of a host. `server` is None where it does not delegate; `reason` says in words why not."""

    server: ServerName | None
    reason: str


@dataclass(slots=True)
class _Known:
    delegation: Delegation
    until: float
    """When it is asked again."""
    failures: int
    good_until: float
    """Until when a delegation outlives failures."""


class _NotDelegated(Exception):
    """The host's answer delegates to nobody."""


class WellKnown:
    """Asks hosts whom they delegate to."""

    def __init__(self, web: Web, clock: Callable[[], float] = time.time, random: Random | None = None) -> None:
        self._web = web
        self._clock = clock
        self._random = random or Random()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._flights: SingleFlight[str, Delegation] = SingleFlight()

    def find(self, host: str) -> Delegation:
        """Whom `host` delegates to, from memory where that is recent. Raises nothing: failing is an answer, too."""
        host = host.lower()
        known = self._known.get(host)
        if known is not None and self._clock() < known.until:
            self._known.move_to_end(host)
            return known.delegation
        return self._flights.do(host, lambda: self._ask(host))

    def _ask(self, host: str) -> Delegation:
        before, now = self._known.get(host), self._clock()
        try:
            server, seconds = self._fetch(host)
        except (_NotDelegated, MatrixError) as error:
            known = self._failed(before, str(error), now)
        else:
            lasting = self._spread(min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS))
            known = _Known(Delegation(server, f"it delegates to {server}"), now + lasting, 0, now + LONGEST_SECONDS)
        self._known[host] = known
        self._known.move_to_end(host)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return known.delegation

    def _failed(self, before: _Known | None, reason: str, now: float) -> _Known:
        failures = (before.failures if before is not None else 0) + 1
        pause = min(FIRST_FAILURE_SECONDS * 2 ** min(failures - 1, 20), LONGEST_FAILURE_SECONDS)
        until = now + self._spread(pause)
        if before is not None and before.delegation.server is not None and now < before.good_until:
            return _Known(before.delegation, min(until, before.good_until), failures, before.good_until)
        return _Known(Delegation(None, reason.rstrip(".")), until, failures, 0.0)

    def _fetch(self, host: str) -> tuple[ServerName, float]:
        url = f"https://{host}{PATH}"
        with self._web.open("GET", url, timeout_ms=TIMEOUT_MS, max_redirects=MAX_REDIRECTS) as answer:
            if answer.status != 200:
                raise _NotDelegated(f"{url} answers {answer.status}.")
            body = answer.read(MAX_BYTES)
            seconds = lifetime(answer.headers, self._clock())
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise _NotDelegated(f"{url} is not JSON.") from error
        server = document.get("m.server") if isinstance(document, dict) else None
        if not isinstance(server, str) or find_name_parts(server) is None:
            raise _NotDelegated(f"{url} names no server under m.server.")
        return ServerName(server), seconds

    def _spread(self, seconds: float) -> float:
        """Up to a tenth shorter, so that what was learned together is not asked again together."""
        return seconds * (1 - self._random.random() / 10)


def lifetime(headers: Mapping[str, str], now: float) -> float:
    """For how many seconds an answer may be kept, by its Cache-Control or Expires; unbounded by our limits."""
    directives = dict(_directives(headers.get("cache-control", "")))
    if directives.keys() & {"no-store", "no-cache"}:
        return 0.0
    max_age = directives.get("max-age", "")
    if max_age.isascii() and max_age.isdigit():
        return float(min(int(max_age), 10**9))
    if "expires" in headers:
        try:
            return max(parsedate_to_datetime(headers["expires"]).timestamp() - now, 0.0)
        except (ValueError, TypeError, OverflowError):
            return 0.0  # RFC 9111: a date that cannot be read lies in the past
    return DEFAULT_SECONDS


def _directives(text: str) -> list[tuple[str, str]]:
    found = []
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        found.append((name.lower(), value.strip().strip('"')))
    return found
