"""Checking the signatures of many events: keys first, for all servers at once, then the arithmetic off the hub.

Spec: Server-Server API, "Validating hashes and signatures on received events"; fragment v5-signing-requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gevent.threadpool import ThreadPool
from nacl.signing import VerifyKey

from core.errors import EventRefused
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.redaction import essential
from core.events.signatures import is_signed_by, servers_that_must_sign, signatures_of
from core.federation.keyring import KeyRing
from core.federation.notaries import Wanted
from core.ids import EventId, ServerName, is_server_name

INLINE = 20
"""Up to so many events are checked where they are; more go to the thread pool."""
PER_JOB = 25
THREADS = 2
MAX_KEYS_TRIED = 3
"""How many signatures of one server are looked at on one event."""


@dataclass(frozen=True, slots=True)
class _Check:
    """One event and, for each server that must have signed it, the signatures that would do with their keys."""

    event: Event
    needed: Sequence[tuple[ServerName, Sequence[tuple[str, VerifyKey]]]]


class EventSignatures:
    """Checks events. `close` ends its threads."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._threads = ThreadPool(THREADS)

    def failures(self, events: Iterable[Event]) -> dict[EventId, str]:
        """Why events are to be dropped: a sentence for each that a server did not sign that must have.

        Waits for keys to be fetched, and never holds the hub for more than `INLINE` checks.
        """
        asked = list(events)
        self._ring.fetch(_wanted(asked))
        checks, failures = [], {}
        for event in asked:
            check = self._check(event)
            if isinstance(check, str):
                failures[event.event_id] = check
            else:
                checks.append(check)
        failures.update(self._verified(checks))
        return failures

    def close(self) -> None:
        """End the threads."""
        self._threads.kill()

    def _check(self, event: Event) -> _Check | str:
        """What is to be verified, or why that cannot come out well."""
        needed = []
        for server in servers_that_must_sign(event):
            signatures = signatures_of(event.pdu, server)
            if not signatures:
                return f"{server or 'The server of its authorizing user'} did not sign it."
            usable = []
            for key_id, signature in list(signatures.items())[:MAX_KEYS_TRIED]:
                key = self._find_key(server, key_id, event)
                if key is not None:
                    usable.append((signature, key))
            if not usable:
                return f"No key is known with which {server} may have signed it: {', '.join(sorted(signatures)[:3])}."
            needed.append((server, usable))
        return _Check(event, needed)

    def _find_key(self, server: ServerName, key_id: str, event: Event) -> VerifyKey | None:
        for keys in self._ring.known(server):
            key = keys.for_event(key_id, event.version, event.origin_server_ts)
            if key is not None:
                return key
        return None

    def _verified(self, checks: Sequence[_Check]) -> dict[EventId, str]:
        if len(checks) <= INLINE:
            return _verify(checks)
        jobs = [
            self._threads.spawn(_verify, checks[start : start + PER_JOB]) for start in range(0, len(checks), PER_JOB)
        ]
        failures: dict[EventId, str] = {}
        for job in jobs:
            failures.update(job.get())
        return failures


def _wanted(events: Iterable[Event]) -> dict[ServerName, Wanted]:
    """The keys that the events' signatures name."""
    key_ids: dict[ServerName, set[str]] = {}
    until: dict[ServerName, int] = {}
    for event in events:
        for server in servers_that_must_sign(event):
            if not is_server_name(server):
                continue
            named = list(signatures_of(event.pdu, server))[:MAX_KEYS_TRIED]
            if named:
                key_ids.setdefault(server, set()).update(named)
                needed = event.origin_server_ts if event.version.enforces_key_validity else 0
                until[server] = max(until.get(server, 0), needed)
    return {server: Wanted(frozenset(ids), until[server]) for server, ids in key_ids.items()}


def _verify(checks: Sequence[_Check]) -> dict[EventId, str]:
    """Runs in a thread: touches nothing but its argument."""
    failures = {}
    for check in checks:
        try:
            message = encode(essential(check.event.pdu, check.event.version), strict=False)
        except EventRefused as error:
            failures[check.event.event_id] = error.sentence
            continue
        for server, usable in check.needed:
            if not any(is_signed_by(message, signature, key) for signature, key in usable):
                failures[check.event.event_id] = f"The signature of {server} is wrong."
                break
    return failures
