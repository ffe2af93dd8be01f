"""Hooks that tell plugins what has happened. Nothing is answered and nothing can be stopped.

All of them run after the fact is durable, outside any transaction, each plugin in turn; one that fails is counted and
the others are told all the same. They may block, but whoever caused the fact may be waiting: `api.work.spawn` what
takes long. Only `event_persisted` is delivered again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.events.event import Event
from core.hooks.api import RoomView
from core.hooks.markers import Kind, spec
from core.ids import DeviceId, RoomId, ServerName, UserId


@spec(Kind.TELL)
def event_persisted(event: Event, room: RoomView) -> None:
    """Told of every live event accepted here, local or remote, in the order of the log.

    `room` is the room as it is now, which may be later than the event. Delivered by a durable consumer of the
    plugin's own: at least once, also for events that came while the plugin was off. Several plugins do not wait for
    each other; nothing is answered. May block on the network: only its own cursor waits. If it raises or runs out of
    time the same event, and perhaps a few before it, comes again after a pause that grows. Since 0.1.
    """


@spec(Kind.TELL)
def room_created(user_id: UserId, room_id: RoomId, request: Mapping[str, Any]) -> None:
    """Told after a local user created a room and all its first events are sent; `request` as the client sent it.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def user_joined(user_id: UserId, room_id: RoomId) -> None:
    """Told after a local user joined a room, by themselves; not for a change of their profile in it.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def profile_updated(user_id: UserId, displayname: str | None, avatar_url: str | None, by_admin: bool) -> None:
    """Told after a local user's profile changed; the arguments are the profile as it is now.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def user_status_changed(user_id: UserId, is_deactivated: bool, is_erased: bool, by_admin: bool) -> None:
    """Told after an account was deactivated, or reactivated; `is_erased` if its data is to be forgotten too.

    Nothing is answered, all are told. May block; the request waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def threepid_changed(user_id: UserId, medium: str, address: str, is_bound: bool) -> None:
    """Told after an address was added to (`is_bound`) or removed from a local account.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def account_data_updated(user_id: UserId, room_id: RoomId | None, type: str, content: Mapping[str, Any]) -> None:
    """Told after a local user's account data changed, global or (with `room_id`) of a room.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def user_registered(user_id: UserId, is_guest: bool) -> None:
    """Told after an account was made, by whatever way.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def user_logged_in(user_id: UserId, device_id: DeviceId, login_type: str) -> None:
    """Told after a login made a token.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def logged_out(user_id: UserId, device_id: DeviceId | None, access_token_hash: str) -> None:
    """Told after an access token ended, by logout or deletion of its device; `access_token_hash` is SHA-256, hex.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL, seconds=1.0)
def user_active(user_id: UserId, device_id: DeviceId | None, set_presence: str, is_acting: bool) -> None:
    """Told when a local user syncs: for each device at most once in 15 seconds, unless its `set_presence` changes.

    Told with `is_acting` when a user sends an event, a receipt or that they type: at most once in 30 seconds for each
    device. `set_presence` is then "online".
    Nothing is answered, all are told. Must not block. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def room_gone(room_id: RoomId, is_purged: bool) -> None:
    """Told after the last local user left a room, and again (`is_purged`) after its data was deleted.

    Nothing is answered, all are told. May block. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def media_stored(mxc: str, user_id: UserId | None, content_type: str, size_bytes: int) -> None:
    """Told after a file was stored: an upload, or (`user_id` None) remote media in its first fetch.

    Nothing is answered, all are told. May block; the client waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL)
def media_deleted(mxc: str, by_admin: bool) -> None:
    """Told after a file was deleted, by an administrator or by retention.

    Nothing is answered, all are told. May block. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL, seconds=1.0)
def events_delivered(server: ServerName, events: Sequence[Event], method: str) -> None:
    """Told when another server has taken events of ours: pushed (`send`) or fetched (the endpoint's name).

    Nothing is answered, all are told. Must not block. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL, seconds=30.0)
def server_started() -> None:
    """Told once in each process, when every facade of `PluginApi` works and before the first request.

    Nothing is answered, all are told. May block; the start waits. A failure is counted and ignored. Since 0.1.
    """


@spec(Kind.TELL, seconds=2.0)
def server_stopping() -> None:
    """Told once in each process, after the last request: close what you opened.

    Nothing is answered, all are told. May block for two seconds. A failure is counted and ignored. Since 0.1.
    """
