"""Plugins and the built server: what they may reach, what they add, and when they are told of start and stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint

from core.accounts.account_data import AccountData
from core.hooks.api import Federation, Http, Media
from core.hooks.declarations import Consumer, Mail
from core.hooks.delivery import event_consumers
from core.hooks.errors import PluginError
from core.hooks.facade import LateApi, Services
from core.hooks.manager import Contribution, PluginManager
from core.hooks.specs import contributions, observers
from core.ids import RoomId
from core.rooms.gone import GoneRooms
from core.rooms.room_view import GraphRoomView
from core.storage.consumers import ConsumerRunner
from core.storage.receipts import ReceiptStore
from core.sync.plugin_sections import PluginSync
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.plugin_consumers import CatchUp, LogTranslator, PluginConsumer
from core.wiring.plugin_endpoints import endpoints_of_plugins
from core.wiring.plugin_jobs import JobRunner
from core.wiring.plugin_rooms import PluginRooms
from core.wiring.plugin_tables import PluginTables
from core.wiring.plugin_users import Addresses, PluginUsers
from core.wiring.plugin_work import PluginWork
from core.wiring.rooms import RoomsPart
from core.wiring.sync import SyncPart


@dataclass(frozen=True, slots=True)
class Doors:
    """What plugins reach of parts that a server may be without."""

    federation: Federation | None = None
    http: Http | None = None
    send_mail: Callable[[Mail], None] | None = None
    addresses: Addresses | None = None
    media: Media | None = None


@dataclass(frozen=True, slots=True)
class PluginsPart:
    """What plugins added to the built server, and what has to be started and stopped."""

    plugins: PluginManager
    blueprints: list[Blueprint]
    consumers: list[ConsumerRunner]
    jobs: list[JobRunner]
    facades: list[tuple[LateApi, Services]]
    works: list[PluginWork]

    def start(self) -> None:
        """Open the facades, tell plugins that everything works, then let their followers and jobs begin."""
        for api, services in self.facades:
            api.wire(services)
        self.plugins.tell(observers.server_started)
        for consumer in self.consumers:
            consumer.start()
        for job in self.jobs:
            job.start()

    def stop(self) -> None:
        """End what runs in the plugins' name, then tell them that the server stops."""
        for job in self.jobs:
            job.stop()
        for consumer in self.consumers:
            consumer.stop()
        for work in self.works:
            work.stop()
        self.plugins.tell(observers.server_stopping)


def build_plugins(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    sync: SyncPart,
    blueprints: Iterable[Blueprint],
    doors: Doors,
) -> PluginsPart:
    """Build each plugin's facades and what it adds; `blueprints` are the server's own. Raises PluginError."""
    plugins, leases = ground.plugins, ground.storage.leases
    works = {name: PluginWork(plugins, name) for name in ground.apis}
    endpoints = plugins.contributions(contributions.contribute_blueprints)
    jobs = plugins.contributions(contributions.contribute_background_jobs)
    consumers = _consumers(ground, rooms)
    return PluginsPart(
        plugins,
        endpoints_of_plugins(plugins, endpoints, blueprints),
        consumers,
        [JobRunner(plugins, one, leases) for one in jobs],
        _facades(ground, accounts, rooms, sync, doors, works, consumers),
        list(works.values()),
    )


def _facades(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    sync: SyncPart,
    doors: Doors,
    works: Mapping[str, PluginWork],
    consumers: Sequence[ConsumerRunner],
) -> list[tuple[LateApi, Services]]:
    """What each plugin's `PluginApi` is to reach."""
    graph, storage = rooms.graph, ground.storage
    plugin_rooms = PluginRooms(
        graph, rooms.viewing, rooms.client_events, rooms.sending, rooms.memberships, sync.notifier, ground.server_name
    )
    users = PluginUsers(
        graph,
        accounts.users,
        accounts.profiles,
        accounts.registration,
        AccountData(accounts.account_data_store, storage.writer, ground.plugins),
        accounts.account_data_store,
        ground.server_name,
        doors.addresses,
    )
    plugin_sync = PluginSync(sync.notifier, graph)
    return [
        (
            api,
            Services(
                gate=accounts.gate,
                tables=PluginTables(storage.database, storage.writer, api.log),
                rooms=plugin_rooms,
                users=users,
                http=doors.http,
                sync=plugin_sync,
                federation=doors.federation,
                media=doors.media,
                work=works[name],
                send_mail=doors.send_mail,
                catch_up=CatchUp(name, consumers, storage.tail),
            ),
        )
        for name, api in ground.apis.items()
    ]


def _consumers(ground: Ground, rooms: RoomsPart) -> list[ConsumerRunner]:
    """A runner for each consumer that plugins contribute, and for each that implements `event_persisted`."""
    plugins, storage, graph = ground.plugins, ground.storage, rooms.graph

    def room_of(room_id: RoomId) -> GraphRoomView:
        room = graph.rooms.find(room_id)
        assert room is not None, "the room of an event in the log"
        return GraphRoomView(graph, room)

    found: list[Contribution[Consumer]] = [
        *plugins.contributions(contributions.contribute_consumers),
        *event_consumers(plugins, room_of),
    ]
    _refuse_two_of_a_name(found)
    translator = LogTranslator(graph, ReceiptStore(storage.database))
    runners = []
    for one in found:
        consumer = PluginConsumer(plugins, one, translator, storage.log, storage.cursors)
        runners.append(storage.runner(consumer, consumer.is_from_start, consumer.settle_seconds, consumer.batch_size))
    if plugins.has(observers.room_gone):
        runners.append(storage.runner(GoneRooms(graph, plugins, ground.server_name), from_the_beginning=False))
    return runners


def _refuse_two_of_a_name(found: Sequence[Contribution[Consumer]]) -> None:
    names = [(one.plugin, one.item.name) for one in found]
    for plugin, name in names:
        if names.count((plugin, name)) > 1:
            raise PluginError(f"The plugin {plugin} has two consumers called {name}, the name its hook is followed by.")
