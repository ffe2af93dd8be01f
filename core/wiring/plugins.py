"""Plugins and the built server: what they may reach, and what they add."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.hooks.api import Federation, Http, Media
from core.hooks.facade import Services
from core.hooks.specs import contributions
from core.mail.outgoing import Mailer
from core.sync.plugin_sections import PluginSync
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.plugin_rooms import PluginRooms
from core.wiring.plugin_work import PluginWork
from core.wiring.rooms import RoomsPart
from core.wiring.sync import SyncPart


@dataclass(frozen=True, slots=True)
class OutsideFacades:
    """What plugins reach outside of this server."""

    http: Http
    mailer: Mailer


def wire_plugins(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    sync: SyncPart,
    federation: Federation,
    outside: OutsideFacades,
    media: Media | None = None,
) -> list[PluginWork]:
    """Open each plugin's facades; the work of each, to be stopped."""
    plugin_rooms = PluginRooms(
        rooms.graph, rooms.viewing, rooms.client_events, rooms.sending, sync.notifier, ground.server_name
    )
    plugin_sync = PluginSync(sync.notifier, rooms.graph)
    send_mail = outside.mailer.send if outside.mailer.can_send else None
    works = []
    for name, api in ground.apis.items():
        work = PluginWork(ground.plugins, name)
        api.wire(
            Services(
                accounts.gate,
                rooms=plugin_rooms,
                http=outside.http,
                sync=plugin_sync,
                federation=federation,
                media=media,
                work=work,
                send_mail=send_mail,
            )
        )
        works.append(work)
    return works


def contributed_blueprints(ground: Ground) -> list[Blueprint]:
    """The endpoints that plugins add."""
    return [one.item for one in ground.plugins.contributions(contributions.contribute_blueprints)]
