"""Keeps a diary of what happens. A plugin can be a module, like this one; the server calls its `setup`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.hooks import Event, PluginApi, RoomView, hookimpl

LINES: list[str] = []
"""The diary, newest last."""


def setup(config: Mapping[str, Any], api: PluginApi) -> None:
    """Begin anew."""
    LINES.clear()
    LINES.append(f"{config.get('greeting', 'hello')}, {api.server.server_name}")


@hookimpl
def server_started() -> None:
    """The server has started."""
    LINES.append("started")


@hookimpl
def server_stopping() -> None:
    """It stops."""
    LINES.append("stopping")


@hookimpl
def event_persisted(event: Event, room: RoomView) -> None:
    """There is a new event."""
    LINES.append(f"{event.type} in {room.room_id}")


@hookimpl
def room_created(user_id: str, room_id: str, request: Mapping[str, Any]) -> None:
    """A room was made."""
    LINES.append(f"{user_id} made {room_id} called {request.get('name')}")


@hookimpl
def user_joined(user_id: str, room_id: str) -> None:
    """Somebody came into a room."""
    LINES.append(f"{user_id} joined {room_id}")


@hookimpl
def profile_updated(user_id: str, displayname: str | None) -> None:
    """A profile has changed."""
    LINES.append(f"{user_id} is {displayname}")


@hookimpl
def user_status_changed(user_id: str, is_deactivated: bool, is_erased: bool) -> None:
    """An account was closed or opened."""
    LINES.append(f"{user_id} {'erased' if is_erased else 'closed' if is_deactivated else 'opened'}")


@hookimpl
def threepid_changed(user_id: str, address: str, is_bound: bool) -> None:
    """An address was added or removed."""
    LINES.append(f"{user_id} {'has' if is_bound else 'had'} {address}")


@hookimpl
def account_data_updated(user_id: str, room_id: str | None, type: str) -> None:
    """Account data has changed."""
    LINES.append(f"{user_id} set {type} {room_id or 'everywhere'}")


@hookimpl
def user_registered(user_id: str) -> None:
    """There is a new account."""
    LINES.append(f"{user_id} registered")


@hookimpl
def user_logged_in(user_id: str, device_id: str, login_type: str) -> None:
    """There is a new session."""
    LINES.append(f"{user_id} logged in on {device_id} by {login_type}")


@hookimpl
def logged_out(user_id: str, device_id: str | None) -> None:
    """A session has ended."""
    LINES.append(f"{user_id} logged out of {device_id}")


@hookimpl
def user_active(user_id: str, set_presence: str) -> None:
    """Somebody is there."""
    LINES.append(f"{user_id} active, {set_presence}")


@hookimpl
def room_gone(room_id: str, is_purged: bool) -> None:
    """A room was left or deleted."""
    LINES.append(f"{room_id} {'purged' if is_purged else 'left'}")


@hookimpl
def media_stored(mxc: str, size_bytes: int) -> None:
    """There is a new file."""
    LINES.append(f"{mxc} of {size_bytes}")


@hookimpl
def media_deleted(mxc: str, by_admin: bool) -> None:
    """A file is gone."""
    LINES.append(f"{mxc} deleted by {'admin' if by_admin else 'retention'}")


@hookimpl
def events_delivered(server: str, events: Sequence[Event], method: str) -> None:
    """Another server has our events."""
    LINES.append(f"{server} took {len(events)} by {method}")
