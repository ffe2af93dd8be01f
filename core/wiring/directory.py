"""The directory: published rooms, summaries, spaces, mutual rooms, third-party networks, and their endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint

from core.api.client import (
    list_public_rooms,
    mutual_rooms,
    room_summary,
    space_hierarchy,
    third_party_lookup,
)
from core.api.federation import public_rooms as federation_public_rooms
from core.api.federation import space_hierarchy as federation_space_hierarchy
from core.federation.remote_directory import FederatedDirectory
from core.rooms.discovery import Discovery
from core.rooms.hierarchy import Hierarchy
from core.rooms.mutual_rooms import MutualRooms
from core.rooms.public_rooms import PublicRooms
from core.rooms.residents import Residents
from core.rooms.room_stats import RoomStatsConsumer
from core.rooms.room_summary import RoomSummaries
from core.rooms.third_party_networks import NoNetworks, ThirdPartyNetworks
from core.storage.consumers import ConsumerRunner
from core.storage.log import Kind, Line
from core.storage.room_stats import RoomStatsStore
from core.wiring.accounts import AccountsPart
from core.wiring.federation import FederationGround
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart

SETTLE_SECONDS = 0.05
"""How long changes gather before the directory takes them in."""
CATCH_UP_SECONDS = 2.0
"""How long a look at the directory waits for changes that were made before it."""


@dataclass(frozen=True, slots=True)
class DirectoryPart:
    """The services others use, and what has to be started and stopped."""

    discovery: Discovery
    public_rooms: PublicRooms
    hierarchy: Hierarchy
    runner: ConsumerRunner
    blueprints: list[Blueprint]


class CatchUp:
    """Waits until the changes of state that were announced before are in the directory."""

    followed = (Kind.STATE_DELTA,)
    """The kinds of lines it hears of."""

    def __init__(self, runner: ConsumerRunner, seconds: float) -> None:
        self._runner = runner
        self._seconds = seconds
        self._newest = 0

    def follow(self, lines: Sequence[Line]) -> None:
        """Note changes of state: a follower of the log's tail."""
        for line in lines:
            if line.kind is Kind.STATE_DELTA:
                self._newest = line.position

    def __call__(self) -> None:
        """Wait, in the end in vain."""
        if self._newest > self._runner.position:
            self._runner.wait_for(self._newest, self._seconds)


def build_directory(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    federation: FederationGround,
    networks: ThirdPartyNetworks | None = None,
) -> DirectoryPart:
    """Build the part over an open database."""
    storage, graph, gate, name, settings = ground.storage, rooms.graph, accounts.gate, ground.server_name, ground.config
    elsewhere = FederatedDirectory(federation.graphs, federation.servers, federation.allowed)
    discovery, stats = Discovery(graph, Residents(graph, name)), RoomStatsStore(storage.database)
    runner = storage.runner(RoomStatsConsumer(graph, discovery, stats), settle_s=SETTLE_SECONDS)
    catch_up = CatchUp(runner, CATCH_UP_SECONDS)
    storage.tail.follow(catch_up.follow, catch_up.followed)
    public = PublicRooms(
        graph,
        stats,
        rooms.published,
        storage.writer,
        ground.plugins,
        catch_up,
        settings.rooms.enable_room_list_search,
    )
    hierarchy = Hierarchy(discovery, elsewhere)
    is_open = settings.rooms.allow_public_rooms_without_auth
    blueprints = [
        list_public_rooms.blueprint(public, elsewhere.public_rooms, gate, name, is_open),
        room_summary.blueprint(RoomSummaries(discovery, rooms.aliases, elsewhere), gate),
        space_hierarchy.blueprint(hierarchy, gate),
        mutual_rooms.blueprint(MutualRooms(graph), gate),
        third_party_lookup.blueprint(networks or NoNetworks(), gate),
        federation_public_rooms.blueprint(
            public, federation.gate, settings.federation.allow_public_rooms_over_federation
        ),
        federation_space_hierarchy.blueprint(hierarchy, federation.gate),
    ]
    return DirectoryPart(discovery, public, hierarchy, runner, blueprints)
