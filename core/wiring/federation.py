"""Federation's ground: the door to other machines, finding servers, their keys, signed requests both ways."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, replace

from flask import Blueprint
from nacl.signing import VerifyKey

from core.api.client import federation_whitelist
from core.api.federation import keys, query, version
from core.api.federation.server_gate import ServerGate
from core.config import Config
from core.config.federation import FederationConfig
from core.config.keys import KeysConfig, read_signing_keys
from core.config.open_files import for_outgoing
from core.config.ratelimits import RatelimitsConfig
from core.events.server_keys import OldVerifyKey
from core.events.signatures import SigningKey
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.calls import GraphCalls, JoinCalls, ServerCalls
from core.federation.calls.key_calls import KeyCalls
from core.federation.discovery import Discovery
from core.federation.event_signatures import EventSignatures
from core.federation.inbound_limits import InboundLimits, InboundRate
from core.federation.keyring import KeyRing
from core.federation.notaries import Notaries, Notary
from core.federation.notary_service import NotaryService
from core.federation.own_keys import OwnKeys
from core.federation.request_authentication import RequestAuthentication
from core.federation.retired_keys import read_retired_keys, retired_path
from core.federation.signed_client import Patience, Patiences, SignedClient
from core.federation.well_known import WellKnown
from core.ids import ServerName
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector
from core.outbound.door import Door
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from core.outbound.web import Web
from core.storage.destinations import DestinationStore
from core.storage.server_keys import ServerKeyStore
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart

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

    outbound: Outbound
    allowed: AllowedServers
    discovery: Discovery
    backoff: Backoff
    client: SignedClient
    joins: JoinCalls
    graphs: GraphCalls
    servers: ServerCalls
    own_keys: OwnKeys
    ring: KeyRing
    signatures: EventSignatures
    notary: NotaryService
    gate: ServerGate

    def close(self) -> None:
        """End the threads and close the connections that are kept."""
        self.signatures.close()
        self.outbound.door.close()


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
    door = Door(Connector(names, rules, trust, proxies), for_outgoing(open_files))
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
    own_keys, calls = build_own_keys(ground.config), KeyCalls(client)
    notaries = Notaries(_notaries(ground.config.keys, ground.server_name), calls)
    ring = KeyRing(own_keys, ServerKeyStore(storage.database), storage.writer, calls, notaries)
    authentication = RequestAuthentication(ring, allowed, backoff)
    return FederationGround(
        outbound,
        allowed,
        discovery,
        backoff,
        client,
        JoinCalls(client),
        GraphCalls(client),
        ServerCalls(client),
        own_keys,
        ring,
        EventSignatures(ring),
        NotaryService(own_keys, ring, allowed),
        ServerGate(authentication, ground.server_name, InboundLimits(inbound_rate_of(ground.config.ratelimits))),
    )


def federation_ground_blueprints(
    federation: FederationGround, accounts: AccountsPart, rooms: RoomsPart, config: FederationConfig
) -> list[Blueprint]:
    """The endpoints of this part."""
    shows_profiles = config.allow_profile_lookup_over_federation
    listed = [federation_whitelist.blueprint(config.federation_domain_whitelist, accounts.gate)]
    return [
        *(listed if config.federation_whitelist_endpoint_enabled else ()),
        keys.blueprint(federation.own_keys, federation.notary),
        version.blueprint(),
        federation.gate.blueprint(),
        query.blueprint(accounts.profiles, rooms.aliases, federation.gate, shows_profiles),
    ]


def build_own_keys(config: Config) -> OwnKeys:
    """Our keys, from the files of the configuration. Raises ConfigError."""
    signing = [SigningKey(key_id, seed) for key_id, seed in read_signing_keys(config.keys)]
    retired = {key_id: OldVerifyKey(VerifyKey(old.key), old.expired_ts)
               for key_id, old in config.keys.old_signing_keys.items()}  # fmt: skip
    if config.keys.signing_key is None:
        retired.update(read_retired_keys(retired_path(config.keys.signing_key_path)))
    notary_key = None
    if config.keys.key_server_signing_keys_path is not None:
        notary_keys = read_signing_keys(replace(config.keys, signing_key=None,
                                                signing_key_path=config.keys.key_server_signing_keys_path))  # fmt: skip
        notary_key = SigningKey(*notary_keys[0])
    name = ServerName(config.server_name)
    return OwnKeys(name, signing, retired, config.keys.key_refresh_interval, notary_key)


def _notaries(config: KeysConfig, own: ServerName) -> list[Notary]:
    return [
        Notary(ServerName(trusted.server_name), {key_id: VerifyKey(key) for key_id, key in trusted.verify_keys.items()})
        for trusted in config.trusted_key_servers
        if trusted.server_name != own
    ]


def inbound_rate_of(config: RatelimitsConfig) -> InboundRate:
    """What one other server may ask of us, by the configuration."""
    return InboundRate(
        config.rc_federation_window_size,
        config.rc_federation_sleep_limit,
        config.rc_federation_sleep_delay,
        config.rc_federation_reject_limit,
        config.rc_federation_concurrent,
    )


def patiences_of(config: FederationConfig) -> Patiences:
    """How patient requests are, by the configuration."""
    timeout = config.client_timeout
    return Patiences(
        short=Patience(timeout, config.max_short_retries, config.max_short_retry_delay),
        long=Patience(timeout, config.max_long_retries, config.max_long_retry_delay),
        once=Patience(min(timeout, ONCE_TIMEOUT_MS), 0, 0),
    )
