"""DNS as a table, for the outbound door."""

from __future__ import annotations

from collections.abc import Sequence

from core.outbound.failures import NameUnknown, NoAnswer
from core.outbound.names import Service


class FakeNames:
    """Implements core.outbound.names.Lookup. `hosts` may hold lists of addresses, answered one after the other."""

    def __init__(self, hosts: dict | None = None, services: dict | None = None) -> None:
        self.hosts = hosts or {}
        self.records = services or {}
        self.asked: list[str] = []
        self.is_broken = False

    def addresses(self, host: str) -> Sequence[str]:
        """The addresses in the table."""
        self.asked.append(host)
        if self.is_broken:
            raise NoAnswer("The name servers are away.")
        found = self.hosts.get(host)
        if found is None:
            raise NameUnknown(f"There is no address for the name {host}.")
        if found and isinstance(found[0], list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found

    def services(self, name: str) -> tuple[Sequence[Service], float]:
        """The records in the table; they last a minute."""
        self.asked.append(name)
        if self.is_broken:
            raise NoAnswer("The name servers are away.")
        return self.records.get(name, ()), 60.0
