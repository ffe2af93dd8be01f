"""Holds what clients know, and what the server says when asked afresh, against the model."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tests.api.client.sync_room import at
from tests.model import unread
from tests.model.clients import RoomView, SlidingClient, SyncClient, history
from tests.model.events import Event
from tests.model.relations import bundle, shown_bundle
from tests.model.rooms import Room
from tests.model.world import World
from tests.servers.trellis import Refused, User

Told = dict[str, Any]
FRESH_LIMIT = 12


def compare_sync(world: World, client: SyncClient) -> None:
    """A client that has just synced, and what it has folded together since it last began anew."""
    user = client.user.user_id
    assert set(client.rooms) == world.rooms_of(user, "join")
    assert set(client.invited) == world.rooms_of(user, "invite")
    assert set(client.knocked) == world.rooms_of(user, "knock")
    assert client.account_data.items() >= world.account_data[user].items()
    for room_id, state in (*client.invited.items(), *client.knocked.items()):
        own = world.rooms[room_id].state["m.room.member", user]
        assert any(_is_stripped(own, event) for event in state["events"]), f"{room_id} is told without the own event"
    for room_id, view in client.rooms.items():
        room = world.rooms[room_id]
        _compare_room(world, room, user, view)
        counts = unread.counts(room, user)
        if client.with_threads:
            assert view.counts == counts.pop("main", (0, 0)), f"unread in the main timeline of {room_id}"
            assert view.threads == counts, f"unread in threads of {room_id}"
        else:
            assert view.counts == unread.total(counts), f"unread in {room_id}"
        assert view.summary["m.joined_member_count"] == len(room.joined)


def compare_sliding(world: World, client: SlidingClient, answer: Told) -> None:
    """A client that has just used sliding sync."""
    user = client.user.user_id
    for membership in ("join", "invite", "knock"):
        told = {room for room, one in client.memberships.items() if one == membership}
        assert told == world.rooms_of(user, membership), f"rooms with membership {membership}"
    for room_id, view in client.rooms.items():
        room = world.rooms[room_id]
        _compare_room(world, room, user, view)
        assert view.counts == unread.total(unread.counts(room, user)), f"unread in {room_id}"
        assert view.summary["joined_count"] == len(room.joined)
    assert client.account_data.items() >= world.account_data[user].items()
    assert answer["lists"]["all"]["count"] == world.listed(user)


def compare_reload(world: World, user: User) -> None:
    """The first answers of new clients of both kinds: nothing to fold, and bundles as they are now."""
    client = SyncClient(user, FRESH_LIMIT, True)
    answer = client.sync()
    for room_id, part in answer.get("rooms", {}).get("join", {}).items():
        room = world.rooms[room_id]
        _compare_timeline(world, room, user.user_id, part["timeline"]["events"], part["timeline"]["limited"])
    compare_sync(world, client)
    sliding = SlidingClient(user, FRESH_LIMIT, "reload")
    answer = sliding.sync()
    for room_id, part in answer["rooms"].items():
        if part.get("membership") == "join":
            _compare_timeline(world, world.rooms[room_id], user.user_id, part["timeline"], part["limited"])
    compare_sliding(world, sliding, answer)


def compare_history(world: World, room: Room, user: User, rng: Random) -> None:
    """A room asked for in full: history from either end, state, members, and an event by its id."""
    may_look = room.members.get(user.user_id) == "join" or (
        room.members.get(user.user_id) in ("leave", "ban")
        and user.user_id in room.joined_at
        and user.user_id not in room.forgotten
    )
    if not may_look:
        with pytest.raises(Refused) as refused:
            user.get(f"{at(room.room_id)}/messages", dir="b")
        assert refused.value.errcode == "M_FORBIDDEN"
        return
    expected = world.timeline(room, user.user_id)
    compare_events(world, room, user.user_id, expected, history(user, room.room_id, rng.random() < 0.7))
    if room.members[user.user_id] == "join":
        state = {(one["type"], one["state_key"]): one for one in user.get(f"{at(room.room_id)}/state")}
        _compare_state(room, state)
    one = rng.choice(expected)
    path = f"{at(room.room_id)}/event/{one.event_id}"
    compare_events(world, room, user.user_id, [one], [user.get(path)])


def compare_events(world: World, room: Room, user: str, expected: Sequence[Event], told: Sequence[Told]) -> None:
    """Events as they are shown now, with what is bundled and what `unsigned` says."""
    ids = [event["event_id"] for event in told]
    assert [one.event_id or seen for one, seen in zip(expected, ids, strict=False)] == ids[: len(expected)]
    assert len(expected) == len(told), f"{told[len(expected) :]} told, {expected[len(told) :]} not"
    for event, seen in zip(expected, told, strict=True):
        unsigned = seen.get("unsigned", {})
        assert event.is_shown_as(seen), f"{seen} should be {event}"
        assert ("redacted_because" in unsigned) == event.is_redacted, f"redaction of {seen}"
        assert unsigned.get("membership") == room.membership_at(user, event), f"membership at {seen}"
        bundled, right = shown_bundle(seen), bundle(world, room, user, event)
        assert bundled == right, f"{bundled} is bundled, not {right}, with {seen} for {user}"


def _compare_timeline(world: World, room: Room, user: str, told: Sequence[Told], is_limited: bool) -> None:
    """The timeline of a first answer. It may begin anew after a change of state that the user may not see."""
    expected = world.timeline(room, user)
    hidden = max((one.index for one in room.events if one.is_state and not room.may_see(user, one)), default=-1)
    assert len(told) >= min(FRESH_LIMIT, sum(one.index > hidden for one in expected)), f"too little of {room.room_id}"
    compare_events(world, room, user, expected[-FRESH_LIMIT:][-len(told) :] if told else [], told)
    is_more = len(expected) > len(told)
    assert is_limited if is_more else (hidden >= 0 or not is_limited), f"limited in {room.room_id}"


def _compare_room(world: World, room: Room, user: str, view: RoomView) -> None:
    expected = world.timeline(room, user)[-len(view.timeline) :] if view.timeline else []
    assert len(expected) == len(view.timeline), f"{room.room_id} has {len(view.timeline)} events, not {len(expected)}"
    for event, seen in zip(expected, view.timeline, strict=True):
        assert event.event_id in (None, seen["event_id"]), f"{seen} in the place of {event}"
        if event.event_id is None:
            assert event.is_shown_as(seen), f"{seen} in the place of {event}"
    _compare_state(room, view.state)
    _compare_receipts(room, user, view)
    assert view.account_data == room.account_data[user], f"account data in {room.room_id}"


def _compare_receipts(room: Room, user: str, view: RoomView) -> None:
    """A receipt for one thread need not be told to who is told of one for all threads that is as far on."""
    for (kind, reader, thread), event in room.receipts.items():
        whole = room.receipts.get((kind, reader, ""), event)
        if (kind == "m.read" or reader == user) and (thread == "" or whole.index < event.index or whole is event):
            told = {view.receipts.get((kind, reader, one)) for one in {"", thread}}
            assert event.event_id in told, f"receipt {kind} of {reader} for {thread or 'all'} in {room.room_id}"
    others = [key for key in view.receipts if key[0] == "m.read.private" and key[1] != user]
    assert not others, f"{others} is nobody's business"


def _compare_state(room: Room, state: dict[tuple[str, str], Told]) -> None:
    assert state.keys() == room.state.keys()
    for key, event in room.state.items():
        assert event.event_id in (None, state[key]["event_id"]), f"{state[key]} is not {event}"


def _is_stripped(own: Event, told: Told) -> bool:
    if (told["type"], told["sender"], told["state_key"]) != (own.type, own.sender, own.state_key):
        return False
    return bool(told["content"]["membership"] == own.content["membership"])
