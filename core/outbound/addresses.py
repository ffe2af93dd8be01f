"""Which addresses may be connected to on behalf of others.

Asked with the address that is then connected to, never with a name, so that a name cannot lead elsewhere a moment
later. An IPv6 address that stands for an IPv4 one (mapped, compatible, 6to4, Teredo, NAT64) counts as both.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


class AddressRules:
    """The ranges of `ip_range_blacklist`, and those of `ip_range_whitelist` that are open all the same."""

    def __init__(self, closed: Iterable[Network | str] = (), opened: Iterable[Network | str] = ()) -> None:
        self._closed = tuple(ip_network(network) for network in closed)
        self._open = tuple(ip_network(network) for network in opened)

    def refuses(self, address: str) -> bool:
        """Whether `address` must not be connected to; what is no address is refused, too."""
        found = find_address(address)
        return found is None or any(self._is_closed(meant) for meant in _meanings(found))

    def _is_closed(self, address: Address) -> bool:
        if any(address in network for network in self._open):
            return False
        return any(address in network for network in self._closed)


def find_address(text: str) -> Address | None:
    """The address that `text` spells, brackets around IPv6 allowed; None for a name."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return ip_address(text)
    except ValueError:
        return None


def _meanings(address: Address) -> list[Address]:
    """The address and every IPv4 address that it stands for."""
    meanings: list[Address] = [address]
    if isinstance(address, IPv4Address):
        return meanings
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]  # the system connects to that one, whatever the spelling
    if address.sixtofour is not None:
        meanings.append(address.sixtofour)
    if address.teredo is not None:
        meanings.extend(address.teredo)
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        meanings.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return meanings
