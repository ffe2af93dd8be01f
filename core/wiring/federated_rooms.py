"""Rooms shared with other servers: members through us, invites, what is read of our rooms."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Blueprint

from core.api.federation import (
    invites,
    policy,
    room_complexity,
    room_events,
    room_membership,
    third_party_invites,
    transactions,
    user_keys,
)
from core.config.keys import read_signing_keys
from core.federation.auth_chains import AuthChains
from core.federation.backfill import Backfill
from core.federation.candidates import Candidates
from core.federation.device_list_refresh import DeviceListRefresh
from core.federation.gaps import Gaps
from core.federation.handshakes import Handshakes
from core.federation.inbound_edus import HANDLED, InboundEdus
from core.federation.inbound_invites import InboundInvites
from core.federation.inbound_rooms import InboundRooms
from core.federation.inbound_transactions import InboundTransactions
from core.federation.join_answers import JoinAnswers
from core.federation.membership_templates import MembershipTemplates
from core.federation.outliers import Outliers
from core.federation.own_policy_server import OwnPolicyServer
from core.federation.participation import Participation
from core.federation.policy_servers import PolicyServers
from core.federation.received import ReceivedEvents
from core.federation.remote_history import FederatedHistory
from core.federation.remote_joins import RemoteJoins
from core.federation.remote_memberships import RemoteMemberships
from core.federation.rescinded_invites import RescindedInvites
from core.federation.room_doctor import RoomDoctor
from core.federation.serving import Serving
from core.federation.welcome import Welcome
from core.graph.graph import Graph
from core.hooks.edus import ContributedEdus
from core.hooks.specs import contributions
from core.rooms.complexity import RoomComplexity
from core.rooms.residents import Residents
from core.rooms.restricted_joins import RestrictedJoins
from core.storage.event_times import EventTimeStore
from core.storage.inbound_staging import InboundStagingStore
from core.storage.outbound_relays import OutboundRelayStore
from core.storage.wanted_history import WantedHistoryStore
from core.wiring.accounts import AccountsPart
from core.wiring.encryption import EncryptionPart
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground
from core.wiring.receipts import ReceiptsPart
from core.wiring.remote_devices import RemoteDevicesPart
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class FederatedRoomsPart:
    """The endpoints, and what has to be started and stopped."""

    inbound: InboundRooms
    history: FederatedHistory
    doctor: RoomDoctor
    device_lists: DeviceListRefresh
    blueprints: list[Blueprint]

    def start(self) -> None:
        """Take up what was left."""
        self.inbound.start()
        self.history.start()

    def stop(self) -> None:
        """Leave the rest for the next start."""
        self.inbound.stop()
        self.history.stop()
        self.device_lists.stop()


def build_federated_rooms(
    ground: Ground,
    accounts: AccountsPart,
    encryption: EncryptionPart,
    rooms: RoomsPart,
    receipts: ReceiptsPart,
    federation: FederationGround,
    remote_devices: RemoteDevicesPart,
) -> FederatedRoomsPart:
    """Build the part over an open database."""
    storage, name, key, graph = ground.storage, ground.server_name, ground.signing_key, rooms.graph
    residents, restricted = Residents(graph, name), RestrictedJoins(graph, name)
    participation, received = Participation(graph, residents, name), ReceivedEvents(federation.signatures)
    relays, chains = OutboundRelayStore(storage.database, storage.writer), AuthChains(graph)
    handshakes = Handshakes(graph, participation, restricted, received, relays, name, key)
    answers = JoinAnswers(graph, chains, participation, name)
    inviting = InboundInvites(
        graph,
        residents,
        participation,
        received,
        accounts.users,
        rooms.invite_permissions,
        ground.plugins,
        name,
        key,
    )
    serving = Serving(graph, chains, participation, EventTimeStore(storage.database), accounts.erased)
    gaps = Gaps(graph, federation.graphs, received, Outliers(graph), storage.database)
    backfill = Backfill(graph, federation.graphs, received, gaps)
    wanted = WantedHistoryStore(storage.database, storage.writer)
    history = FederatedHistory(graph, participation, backfill, federation.graphs, wanted, name)
    rooms.elsewhere.wire(history)
    own_policy = _own_policy_server(ground, graph, participation)
    policies = PolicyServers(graph, federation.servers, name, None if own_policy is None else own_policy.sign_here)
    graph.write.endorser.wire(policies)
    welcome = Welcome(graph, policies, ground.plugins)
    inbound = InboundRooms(graph, InboundStagingStore(storage.database, storage.writer), gaps, welcome, history.mend)
    edus = _inbound_edus(ground, graph, participation, encryption, receipts, remote_devices)
    receiving = InboundTransactions(graph, participation, received, inbound, edus, RescindedInvites(graph))
    rooms.remote.wire(_remote_memberships(ground, graph, residents, restricted, federation, received, history))
    return FederatedRoomsPart(
        inbound=inbound,
        history=history,
        device_lists=remote_devices.refresh,
        doctor=_doctor(ground, graph, participation, federation, received, inbound, history),
        blueprints=[
            room_membership.blueprint(handshakes, answers, federation.gate),
            invites.blueprint(inviting, federation.gate, accounts.gate),
            room_events.blueprint(serving, federation.gate),
            third_party_invites.blueprint(rooms.pending_invites, federation.gate, accounts.gate),
            transactions.blueprint(receiving, federation.gate),
            policy.blueprint(own_policy, federation.gate),
            room_complexity.blueprint(RoomComplexity(graph), federation.gate),
            _user_keys(ground, encryption, federation),
        ],
    )


def _inbound_edus(
    ground: Ground,
    graph: Graph,
    participation: Participation,
    encryption: EncryptionPart,
    receipts: ReceiptsPart,
    remote_devices: RemoteDevicesPart,
) -> InboundEdus:
    contributed = ContributedEdus(ground.plugins, ground.plugins.contributions(contributions.contribute_edus), HANDLED)
    return InboundEdus(
        graph,
        participation,
        receipts.typing,
        receipts.receipts,
        encryption.to_device,
        remote_devices.known,
        contributed,
    )


def _doctor(
    ground: Ground,
    graph: Graph,
    participation: Participation,
    federation: FederationGround,
    received: ReceivedEvents,
    inbound: InboundRooms,
    history: FederatedHistory,
) -> RoomDoctor:
    return RoomDoctor(
        graph,
        participation,
        federation.graphs,
        federation.joins,
        federation.servers,
        received,
        inbound.stage,
        history.mend,
        ground.server_name,
    )


def _own_policy_server(ground: Ground, graph: Graph, participation: Participation) -> OwnPolicyServer | None:
    """This server as a policy server, where it has a key for that. Raises ConfigError for a file that holds none."""
    path = ground.config.keys.policy_server_signing_key_path
    if path is None:
        return None
    keys = read_signing_keys(replace(ground.config.keys, signing_key=None, signing_key_path=path))
    return OwnPolicyServer(graph, participation, ground.plugins, ground.server_name, keys[0][1])


def _user_keys(ground: Ground, encryption: EncryptionPart, federation: FederationGround) -> Blueprint:
    with_names = ground.config.federation.allow_device_name_lookup_over_federation
    return user_keys.blueprint(encryption.queries, encryption.claims, federation.gate, with_names=with_names)


def _remote_memberships(
    ground: Ground,
    graph: Graph,
    residents: Residents,
    restricted: RestrictedJoins,
    federation: FederationGround,
    received: ReceivedEvents,
    history: FederatedHistory,
) -> RemoteMemberships:
    name, key = ground.server_name, ground.signing_key
    templates, candidates = MembershipTemplates(name, key), Candidates(federation.allowed)
    joins = RemoteJoins(graph, federation.joins, templates, candidates, received, Outliers(graph), history.entered)
    return RemoteMemberships(
        graph,
        residents,
        joins,
        restricted,
        federation.joins,
        federation.servers,
        templates,
        candidates,
        received,
        name,
        key,
    )
