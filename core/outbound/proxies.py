"""Which proxy, if any, stands before a host."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import unquote, urlsplit

from core.outbound.addresses import find_address


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and the headers it wants to see."""

    host: str
    port: int
    headers: Mapping[str, str]


class Proxies:
    """The proxies of the configuration and, where that says nothing, of the environment."""

    def __init__(
        self,
        http_proxy: str | None = None,
        https_proxy: str | None = None,
        no_proxy_hosts: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        found = {name.lower(): value for name, value in (environment or {}).items() if value}
        self._plain = parse_proxy(http_proxy or found.get("http_proxy"))
        self._tls = parse_proxy(https_proxy or found.get("https_proxy"))
        self._excepted = tuple(no_proxy_hosts) if no_proxy_hosts is not None else _words(found.get("no_proxy", ""))

    def find(self, host: str, is_tls: bool) -> Proxy | None:
        """The proxy through which `host` is reached."""
        proxy = self._tls if is_tls else self._plain
        return None if proxy is None or any(_matches(host, entry) for entry in self._excepted) else proxy


def parse_proxy(url: str | None) -> Proxy | None:
    """The proxy a URL names; without a scheme it is `http://`. Raises ValueError for any other scheme."""
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"a proxy must be given as http://host:port, not {parts.scheme}://{parts.hostname or ''}")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return Proxy(parts.hostname, parts.port or 1080, headers)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _matches(host: str, entry: str) -> bool:
    """Whether `host` is the host, in the domain or in the range that `entry` names; `*` is everything."""
    if entry == "*":
        return True
    address = find_address(host)
    if address is None:
        host, entry = host.lower(), entry.lower().lstrip(".")
        return host == entry or host.endswith("." + entry)
    try:
        return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
