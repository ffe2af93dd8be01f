"""Where the server listens: TCP ports and Unix sockets, each plain or TLS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, integer, list_of, path, text
from core.config.settings import setting

RESOURCES = (
    "client",
    "federation",
    "media",
    "keys",
    "metrics",
    "health",
    "admin",
    "openid",
    "consent",
    "static",
    "replication",
)
_DEFAULT_RESOURCES = ("client", "federation", "media", "keys", "health", "admin", "openid", "consent", "static")


@dataclass(frozen=True, slots=True)
class Listener:
    """One entry of `listeners`: a port on some addresses, or the `path` of a Unix socket with its `mode`.

    `resources` are the kinds of endpoint it serves; `x_forwarded` trusts the proxy's X-Forwarded-For and -Proto.
    """

    port: int | None = None
    bind_addresses: tuple[str, ...] = ()
    path: str | None = None
    mode: int = 0o666
    tls: bool = False
    x_forwarded: bool = False
    request_id_header: str | None = None
    resources: tuple[str, ...] = _DEFAULT_RESOURCES
    compress: bool = False

    def binds(self, has_ipv6: bool | None = None) -> list[str]:
        """The addresses in gunicorn's notation: `127.0.0.1:8008`, `[::1]:8008`, `unix:/run/hs.sock`.

        Where the machine has no IPv6 its addresses are left out, if others are named; where it has, `::` serves IPv4
        too, and `0.0.0.0` beside it is left out.
        """
        if self.path is not None:
            return [f"unix:{self.path}"]
        usable = self.bind_addresses
        if os.path.exists("/proc/net/if_inet6") if has_ipv6 is None else has_ipv6:
            usable = tuple(host for host in usable if host != "0.0.0.0" or "::" not in usable)
        else:
            usable = tuple(host for host in usable if ":" not in host) or usable
        return [f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}" for host in usable]


def listener(value: Any) -> Listener:
    """One listener; unknown keys and contradictions are refused."""
    if not isinstance(value, Mapping):
        raise ValueError("a mapping with port or path, type, tls and resources")
    known = {"port", "bind_addresses", "bind_address", "path", "mode", "type", "tls", "x_forwarded", "resources",
             "additional_resources", "request_id_header"}  # fmt: skip
    if unknown := [key for key in value if key not in known]:
        raise ValueError(f"a mapping without {unknown[0]!r}; known are {', '.join(sorted(known))}")
    if ("port" in value) == ("path" in value):
        raise ValueError("a mapping with either port or path")
    kind = _part(value, "type", choice("http", "metrics"), "http")
    names, compress = _resources(value)
    where: dict[str, Any] = {}
    if "port" in value:
        addresses = [value["bind_address"]] if value.get("bind_address") else ["::", "0.0.0.0"]
        where["port"] = _part(value, "port", integer(0, 65535), None)
        where["bind_addresses"] = _part(value, "bind_addresses", list_of(_address), addresses)
    else:
        where["path"] = _part(value, "path", path, None)
        where["mode"] = _part(value, "mode", _mode, 0o666)
    return Listener(
        tls=_part(value, "tls", boolean, False),
        x_forwarded=_part(value, "x_forwarded", boolean, False),
        request_id_header=_part(value, "request_id_header", text, None),
        resources=("metrics",) if kind == "metrics" else names,
        compress=compress,
        **where,
    )


@dataclass(frozen=True, slots=True)
class ListenersConfig:
    """Sockets and the certificate of those with `tls: true`."""

    listeners: tuple[Listener, ...] = setting(
        [{"port": 8008, "type": "http", "bind_addresses": ["127.0.0.1"], "x_forwarded": False}],
        list_of(listener),
        "Where to listen. Each has port and bind_addresses (all where not given), or path and "
        "mode of a Unix socket; type (http or metrics); "
        "tls; x_forwarded (trust the proxy's X-Forwarded-For); resources with names. "
        "Without resources it serves everything but metrics.",
    )
    tls_certificate_path: str | None = setting(
        None,
        path,
        "PEM file with certificate and chain, for listeners with tls: true.",
        example="/etc/ssl/fullchain.pem",
    )
    tls_private_key_path: str | None = setting(
        None, path, "PEM file with the certificate's private key.", example="/etc/ssl/privkey.pem"
    )

    def __iter__(self) -> Any:
        return iter(self.listeners)


def _part(value: Mapping[str, Any], key: str, parser: Any, default: Any) -> Any:
    found = value.get(key, default)
    if found is None:
        return None
    try:
        return parser(found)
    except ValueError as error:
        raise ValueError(f"a listener whose {key} is {error}") from error


def _resources(value: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    given = value.get("resources")
    if given is None:
        return _DEFAULT_RESOURCES, False
    names: list[str] = []
    compress = False
    if not isinstance(given, list) or not given:
        raise ValueError("a listener whose resources is a list of mappings with names")
    for entry in given:
        if not isinstance(entry, Mapping):
            raise ValueError("a listener whose resources is a list of mappings with names")
        names += _part(entry, "names", list_of(choice(*RESOURCES), single=True), []) or []
        compress = compress or bool(_part(entry, "compress", boolean, False))
    # as elsewhere: a listener for clients also serves their media, administration and the small pages
    if "client" in names:
        names += ["media", "admin", "consent", "static", "health"]
    if "federation" in names:
        names += ["media", "keys", "openid", "health"]
    return tuple(dict.fromkeys(names)), compress


def _address(value: Any) -> str:
    found = text(value)
    if not found or any(sign in found for sign in "[]/ ") or found.count(":") == 1:
        raise ValueError("an IP address or host name without a port")
    return found


def _mode(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = int(value, 8)
        except ValueError as error:
            raise ValueError("a file mode such as 0o660 or '660'") from error
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o777:
        raise ValueError("a file mode such as 0o660 or '660'")
    return value
