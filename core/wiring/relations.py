"""Relations, threads, jumping to a date, upgrades and reports: what rooms have beyond talking."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.accounts.clock import wall_clock_ms
from core.api.client import (
    old_sync,
    report_content,
    room_event_by_timestamp,
    room_initial_sync,
    room_upgrades,
    threads_list,
)
from core.api.client import relations as relations_api
from core.push.rules import PushRules
from core.rooms.event_stream import EventStream
from core.rooms.forgetting import ForgetOnLeave
from core.rooms.initial_sync import InitialSync
from core.rooms.relations import Relations
from core.rooms.reports import Reports
from core.rooms.threads import Threads
from core.rooms.timestamp_lookup import TimestampLookup
from core.rooms.upgrade import RoomUpgrades
from core.storage.consumers import Consumer
from core.storage.event_times import EventTimeStore
from core.storage.reports import ReportStore
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import MemberProfiles, RoomsPart


@dataclass(frozen=True, slots=True)
class RelationsPart:
    """The services others use, and the endpoints."""

    reports: ReportStore
    upgrades: RoomUpgrades
    stream: EventStream
    snapshots: InitialSync
    consumers: list[Consumer]
    blueprints: list[Blueprint]


def build_relations(ground: Ground, accounts: AccountsPart, rooms: RoomsPart, rules: PushRules) -> RelationsPart:
    """Build the part over an open database."""
    rooms.personal.also_carry(rules.carry_to_room)
    storage, name, gate = ground.storage, ground.server_name, accounts.gate
    database, writer = storage.database, storage.writer
    graph, access, viewing, ignored = rooms.graph, rooms.access, rooms.viewing, rooms.ignored.of
    relations = Relations(graph, rooms.reading, viewing, rooms.client_events, rooms.related, storage.tail, ignored)
    threads = Threads(graph, access, viewing, rooms.client_events, rooms.bundles, rooms.related, ignored)
    report_store = ReportStore(database)
    reports = Reports(graph, access, rooms.reading, report_store, accounts.users, writer, name, wall_clock_ms)
    lookup = TimestampLookup(graph, access, viewing, EventTimeStore(database), rooms.elsewhere)
    upgrades = RoomUpgrades(
        graph,
        access,
        rooms.alias_store,
        rooms.published,
        rooms.personal,
        MemberProfiles(accounts.profiles, ground.server_name, ground.config.rooms),
        ground.plugins,
        writer,
        name,
    )
    stream = EventStream(graph, access, viewing, rooms.client_events, storage.log, storage.tail, ignored)
    snapshots = InitialSync(
        graph, access, rooms.paging, rooms.client_events, accounts.account_data_store, rooms.published, stream
    )
    blueprints = [
        relations_api.blueprint(relations, rooms.paging, gate),
        threads_list.blueprint(threads, gate),
        report_content.blueprint(reports, gate),
        room_event_by_timestamp.blueprint(lookup, gate),
        room_upgrades.blueprint(upgrades, gate),
        room_initial_sync.blueprint(snapshots, gate),
        old_sync.blueprint(stream, snapshots, rooms.reading, graph.events, gate),
    ]
    consumers: list[Consumer] = [ForgetOnLeave(graph, name)] if ground.config.rooms.forget_rooms_on_leave else []
    return RelationsPart(report_store, upgrades, stream, snapshots, consumers, blueprints)
