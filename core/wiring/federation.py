"""Federation's ground: the door to other machines, finding servers, their keys, signed requests both ways."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from flask import Blueprint

from core.config.federation import FederationConfig
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.calls import GraphCalls, JoinCalls, ServerCalls
from core.federation.discovery import Discovery
from core.federation.signed_client import Patience, Patiences, SignedClient
from core.federation.well_known import WellKnown
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector
from core.outbound.connections import connections_for
from core.outbound.door import Door
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from core.outbound.web import Web
from core.storage.destinations import DestinationStore
from core.wiring.ground import Ground

ONCE_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Outbound:
    """The door and who goes through it, before any service is built."""

    names: Names
    door: Door
    web: Web


@dataclass(frozen=True, slots=True)
class FederationGround:
    """What everything that speaks with other servers stands on."""

    allowed: AllowedServers
    discovery: Discovery
    backoff: Backoff
    client: SignedClient
    joins: JoinCalls
    graphs: GraphCalls
    servers: ServerCalls
    blueprints: list[Blueprint]


def build_outbound(config: FederationConfig) -> Outbound:
    """Open the door. Raises ValueError for a proxy that is none."""
    names = Names()
    rules = AddressRules(config.ip_range_blacklist, config.ip_range_whitelist)
    trust = Trust(
        config.federation_verify_certificates,
        config.federation_certificate_verification_whitelist,
        config.federation_custom_ca_list,
        config.federation_client_minimum_tls_version,
    )
    proxies = Proxies(config.http_proxy, config.https_proxy, config.no_proxy_hosts, os.environ)
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    open_files = soft_limit if soft_limit != resource.RLIM_INFINITY else 1 << 20
    door = Door(Connector(names, rules, trust, proxies), connections_for(open_files))
    return Outbound(names, door, Web(door))


def build_federation_ground(ground: Ground, outbound: Outbound) -> FederationGround:
    """Build the part over an open database."""
    config, storage = ground.config.federation, ground.storage
    allowed = AllowedServers(ground.server_name, config.federation_domain_whitelist)
    discovery = Discovery(outbound.names, WellKnown(outbound.web))
    backoff = Backoff(
        DestinationStore(storage.database),
        storage.writer,
        config.destination_min_retry_interval,
        config.destination_retry_multiplier,
        config.destination_max_retry_interval,
    )
    client = SignedClient(ground.signing_key, allowed, discovery, outbound.door, backoff, patiences_of(config))
    return FederationGround(
        allowed, discovery, backoff, client, JoinCalls(client), GraphCalls(client), ServerCalls(client), []
    )


def patiences_of(config: FederationConfig) -> Patiences:
    """How patient requests are, by the configuration."""
    timeout = config.client_timeout
    return Patiences(
        short=Patience(timeout, config.max_short_retries, config.max_short_retry_delay),
        long=Patience(timeout, config.max_long_retries, config.max_long_retry_delay),
        once=Patience(min(timeout, ONCE_TIMEOUT_MS), 0, 0),
    )
