"""Talking to other servers, and what the server may reach on the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, duration_ms, either, integer, list_of, network, path, text
from core.config.server import server_name
from core.config.settings import setting

_PRIVATE_RANGES = [
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "169.254.0.0/16",
    "192.88.99.0/24", "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "0.0.0.0/8",
    "240.0.0.0/4", "255.255.255.255/32", "::1/128", "::/128", "fe80::/10", "fc00::/7", "2001:db8::/32", "ff00::/8",
    "fec0::/10", "64:ff9b::/96",
]  # fmt: skip
_TLS_VERSIONS = ("1", "1.0", "1.1", "1.2", "1.3")


def tls_version(value: Any) -> str:
    """A TLS version, as text."""
    return str(choice(*_TLS_VERSIONS)(str(value) if isinstance(value, (int, float)) else value))


@dataclass(frozen=True, slots=True)
class FederationConfig:
    """Federation: with whom, how patiently, over what."""

    federation_domain_whitelist: tuple[str, ...] | None = setting(
        None,
        list_of(server_name),
        "Only these servers are talked to; unset, all; an empty list, none.",
        example=["example.com"],
    )
    federation_whitelist_endpoint_enabled: bool = setting(False, boolean, "Let signed-in clients ask for that list.")
    federation_metrics_domains: tuple[str, ...] = setting(
        [], list_of(server_name), "Servers with metrics of their own."
    )
    federation_verify_certificates: bool = setting(
        True, boolean, "Check other servers' TLS certificates. Switch it off for tests only."
    )
    federation_certificate_verification_whitelist: tuple[str, ...] = setting(
        [], list_of(text), "Servers whose certificates are not checked; * stands for any letters."
    )
    federation_client_minimum_tls_version: str = setting(
        "1.2", tls_version, "Oldest TLS version used towards other servers."
    )
    federation_custom_ca_list: tuple[str, ...] | None = setting(
        None, list_of(path), "Files with certificate authorities trusted instead of the system's."
    )
    allow_profile_lookup_over_federation: bool = setting(
        True, boolean, "Let other servers ask for our users' profiles."
    )
    allow_device_name_lookup_over_federation: bool = setting(
        False, boolean, "Tell other servers the names of sessions."
    )
    allow_public_rooms_over_federation: bool = setting(False, boolean, "Show our room directory to other servers.")
    ip_range_blacklist: tuple[Any, ...] = setting(
        _PRIVATE_RANGES, list_of(network), "Addresses the server never connects to on behalf of others."
    )
    ip_range_whitelist: tuple[Any, ...] = setting(
        [], list_of(network), "Addresses allowed although they are on that list."
    )
    client_timeout: int = setting("60s", duration_ms, "How long a request may take.", key="federation.client_timeout")
    max_short_retry_delay: int = setting(
        "2s", duration_ms, "Longest pause between tries while somebody waits.", key="federation.max_short_retry_delay"
    )
    max_long_retry_delay: int = setting(
        "60s", duration_ms, "Longest pause between tries in the background.", key="federation.max_long_retry_delay"
    )
    max_short_retries: int = setting(3, integer(), "Tries while somebody waits.", key="federation.max_short_retries")
    max_long_retries: int = setting(10, integer(), "Tries in the background.", key="federation.max_long_retries")
    destination_min_retry_interval: int = setting(
        "10m",
        duration_ms,
        "First pause after a server did not answer.",
        key="federation.destination_min_retry_interval",
    )
    destination_retry_multiplier: int = setting(
        2, integer(1), "How much longer each further pause is.", key="federation.destination_retry_multiplier"
    )
    destination_max_retry_interval: int = setting(
        "7d", duration_ms, "Longest such pause.", key="federation.destination_max_retry_interval"
    )
    http_proxy: str | None = setting(
        None,
        text,
        "Proxy for outgoing plain requests; unset, the environment's http_proxy.",
        example="http://proxy:3128",
    )
    https_proxy: str | None = setting(
        None, text, "Proxy for outgoing TLS requests; unset, the environment's https_proxy."
    )
    no_proxy_hosts: tuple[str, ...] | None = setting(
        None, either(list_of(text, single=True)), "Hosts and ranges reached without the proxy."
    )
