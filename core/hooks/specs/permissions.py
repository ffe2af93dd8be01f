"""Hooks that may forbid what users and administrators ask for, before any event is built.

They run after authentication and limits, outside any transaction; they are not called for server administrators'
forced actions. All of them: return None to leave it to the next plugin, `ALLOW`, or `Reject(errcode, reason)`; the
first answer wins; they may block on the network; a plugin that fails is ignored, unless the docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.events.event import Event
from core.hooks.api import RoomView
from core.hooks.markers import Failure, Kind, spec
from core.hooks.verdicts import Allow, Reject, Verdict
from core.ids import RoomAlias, RoomId, UserId


@spec(Kind.JUDGE, Allow, Reject)
def user_may_join(user_id: UserId, room_id: RoomId, room: RoomView | None, is_invited: bool) -> Verdict | None:
    """Judge a local user's attempt to join a room, before any other server is asked.

    `room` is None where this server is not in the room yet. The user's own rooms, just created, do not come here.
    Answers, order and blocking: as this family. If it fails the join goes on. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_invite(
    inviter: UserId, invitee: UserId, room_id: RoomId, room: RoomView | None, event: Event | None
) -> Verdict | None:
    """Judge an invite: by a local user to anybody, or by a remote user to one of ours.

    `event` is the invite where a remote server sent it, else None; `room` is None where this server is not in the
    room. Rejecting a remote invite answers its server with 403. Answers, order and blocking: as this family. If it
    fails the invite goes on. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_send_3pid_invite(
    inviter: UserId, medium: str, address: str, room_id: RoomId, room: RoomView
) -> Verdict | None:
    """Judge an invite to an e-mail address or phone number, before an identity server is asked.

    Answers, order and blocking: as this family. If it fails the invite goes on. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_create_room(user_id: UserId, request: Mapping[str, Any]) -> Verdict | None:
    """Judge the creation of a room. `request` is the body of /createRoom, checked and with its presets unexpanded.

    An upgrade comes here too, as a request with `predecessor` in `creation_content`. Answers, order and blocking:
    as this family. If it fails the room is created. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_create_alias(user_id: UserId, alias: RoomAlias, room_id: RoomId | None) -> Verdict | None:
    """Judge the creation of a room alias. `room_id` is None while the room itself is about to be created.

    Answers, order and blocking: as this family. If it fails the alias is made. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_publish(user_id: UserId, room_id: RoomId, room: RoomView | None, is_public: bool) -> Verdict | None:
    """Judge a change of a room's visibility in the room directory; `is_public` is what it would become.

    `room` is None while the room itself is about to be created. Answers, order and blocking: as this family. If it
    fails the change is made. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def user_may_send_state(
    user_id: UserId, room: RoomView, event_type: str, state_key: str, content: Mapping[str, Any]
) -> Verdict | None:
    """Judge a state event a local user asks to send, before an event is built; memberships have hooks of their own.

    The event itself comes by `check_event_for_spam` later. Answers, order and blocking: as this family. If it fails
    the request goes on. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject, failure=Failure.CLOSED, seconds=30.0)
def check_media(
    user_id: UserId | None, mxc: str, content_type: str, name: str | None, head: bytes, path: str | None
) -> Verdict | None:
    """Judge a file: an upload before it can be fetched by anybody, or remote media before it is first shown here.

    `user_id` is the uploader, None for remote media. `head` is the first 64 KiB; `path` names the whole file on disk
    while the hook runs, None where storage has no files. Answers and order: as this family. May block; its time limit
    is 30 s. If it fails the file is held back and the request answered with 503. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def may_shutdown_room(admin: UserId | None, room_id: RoomId) -> Verdict | None:
    """Judge an administrator's request to shut a room down. `admin` is None where the command line asked.

    Answers, order and blocking: as this family. If it fails the room is shut down. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def may_deactivate_user(user_id: UserId, requested_by: UserId | None, is_erasure: bool) -> Verdict | None:
    """Judge the deactivation of an account, asked for by its user or an administrator (`requested_by`).

    `requested_by` is None where the command line asked. Answers, order and blocking: as this family. If it fails the
    account is deactivated. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def check_username(localpart: str, is_guest: bool) -> Verdict | None:
    """Judge a name that is asked for, when a client asks if it is free and when an account is about to be made.

    Return `Reject("M_EXCLUSIVE", …)` or another code of the registration endpoint. Answers, order and blocking: as
    this family. If it fails the name may be taken. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def check_registration(
    localpart: str, threepids: Sequence[tuple[str, str]], ip: str, user_agent: str
) -> Verdict | None:
    """Judge a registration, after its interactive authentication and before the account is made.

    `threepids` are the (medium, address) pairs validated on the way. Answers, order and blocking: as this family. If
    it fails the account is made. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject, failure=Failure.CLOSED)
def check_login(user_id: UserId, login_type: str, device_id: str | None, ip: str, user_agent: str) -> Verdict | None:
    """Judge a login whose credentials are right, before its device and token are made.

    Answers, order and blocking: as this family. If it fails the login is refused with 503: a plugin that guards the
    door is not bypassed by breaking it. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def may_bind_threepid(user_id: UserId | None, medium: str, address: str) -> Verdict | None:
    """Judge an address that is to be validated, for an account or (`user_id` None) for a registration.

    Answers, order and blocking: as this family. If it fails the address may be used. Since 0.1.
    """
    return None
