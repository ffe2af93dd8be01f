"""What the server says to its users, and what of it asks them to accept its terms."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.api.admin import server_notices as admin_server_notices
from core.events.room_versions import room_version
from core.rooms.consent_notices import ConsentNotices
from core.rooms.server_notices import ServerNotices, notice_settings
from core.storage.consent_notices import ConsentNoticeStore
from core.storage.profiles import ProfileStore
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class NoticesPart:
    """The services; `consent` is a consumer to be run."""

    notices: ServerNotices
    consent: ConsentNotices
    blueprints: list[Blueprint]


def build_notices(ground: Ground, accounts: AccountsPart, addresses: AddressesPart, rooms: RoomsPart) -> NoticesPart:
    """Build the part over an open database."""
    config, storage, name = ground.config, ground.storage, ground.server_name
    notices = ServerNotices(
        notice_settings(config.rooms.server_notices, room_version(config.rooms.default_room_version)),
        name,
        rooms.graph,
        rooms.creation,
        rooms.memberships,
        rooms.sending,
        accounts.registration,
        accounts.users,
        ProfileStore(storage.database),
        accounts.account_data_store,
        storage.writer,
    )
    rooms.memberships.notice_speaker = notices.speaker_id
    if accounts.consent is not None:
        accounts.consent.notice_rooms = notices
    asking = config.registration.user_consent
    consent = ConsentNotices(
        notices,
        addresses.terms,
        accounts.users,
        ConsentNoticeStore(storage.database),
        storage.writer,
        asking.get("server_notice_content"),
        bool(asking.get("send_server_notice_to_guests")),
    )
    admin = admin_server_notices.blueprint(notices, accounts.users, accounts.gate, name)
    return NoticesPart(notices, consent, [admin])
