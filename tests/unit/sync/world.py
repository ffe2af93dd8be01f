"""The built server, without HTTP: rooms of local users, forks in them, and syncs as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.app import App
from core.events.auth_rules import auth_event_keys
from core.events.build import build_event
from core.events.room_versions import ROOM_VERSIONS
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.stored_event import StoredEvent
from core.ids import DeviceId, EventId, Requester, RoomNid, UserId
from core.storage.devices import Device, DeviceNid
from core.sync.asking import SyncRequest
from core.sync.filters import NO_FILTER
from core.sync.sliding.request import parse_body
from core.sync.sliding.service import SlidingRequest
from core.sync.tokens import SyncToken

VERSION = ROOM_VERSIONS["11"]


class World:
    """A server and what its users do."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.graph = app.rooms.graph
        self.notifier = app.sync.notifier
        self._users = 0
        self._clock = 1_900_000_000_000

    def user(self) -> Requester:
        """Somebody new, with a device."""
        self._users += 1
        user_id = UserId(f"@u{self._users}:{self.app.ground.server_name}")
        requester = Requester(user_id, self.graph.texts.nid(user_id), DeviceId("D"), 1)
        device = Device(DeviceNid(1_000_000 + self._users), requester.user_nid, DeviceId("D"), None, 0)
        devices, writer = self.app.accounts.devices, self.app.ground.storage.writer
        writer.submit(lambda transaction: devices.add(transaction, device))
        return requester

    def room(self, creator: Requester, *others: Requester) -> RoomNid:
        """A public room that all are in."""
        who = creator.user_id
        drafts = [
            Draft("m.room.create", who, {"room_version": VERSION.id}, ""),
            Draft("m.room.member", who, {"membership": "join"}, who),
            Draft("m.room.power_levels", who, {"users": {who: 100}, "state_default": 0}, ""),
            Draft("m.room.join_rules", who, {"join_rule": "public"}, ""),
        ]
        room = RoomNid(self.graph.write.create(VERSION, drafts).room_nid)
        for other in others:
            self.send(room, other, "m.room.member", {"membership": "join"}, other.user_id)
        return room

    def send(
        self, room: RoomNid, sender: Requester, type_: str, content: Mapping[str, Any], key: str | None = None
    ) -> StoredEvent:
        """Send an event."""
        return self.graph.write.send(room, [Draft(type_, sender.user_id, content, key)])[0]

    def say(self, room: RoomNid, sender: Requester, body: str) -> StoredEvent:
        """Send a message."""
        return self.send(room, sender, "m.room.message", {"body": body, "msgtype": "m.text"})

    def fork(
        self,
        room: RoomNid,
        sender: Requester,
        type_: str,
        content: Mapping[str, Any],
        key: str | None,
        prevs: Sequence[StoredEvent],
    ) -> EventId:
        """An event that builds on `prevs`, whatever has happened since."""
        self._clock += 1
        state = self.graph.states.after(prevs[0].nid)
        keys = auth_event_keys(VERSION, type_, sender.user_id, key, content)
        event = build_event(
            VERSION,
            self.graph.rooms.name(room).room_id,
            type_,
            sender.user_id,
            content,
            prev_events=[prev.event_id for prev in prevs],
            auth_events=[found.event_id for one in keys if (found := state.get(*one)) is not None],
            depth=prevs[0].event.depth + 1,
            origin_server_ts=self._clock,
            server=self.app.ground.server_name,
            signing_key=self.app.ground.signing_key,
            state_key=key,
        )
        self.graph.write.append(room, [Admission(event)])
        return event.event_id

    def sync(self, who: Requester, since: str | None = None, timeout_ms: int = 0, **options: Any) -> dict:
        """One sync."""
        token = SyncToken.parse(since) if since else None
        request = SyncRequest(who, options.pop("filter", NO_FILTER), token, timeout_ms, **options)
        return orjson.loads(self.app.sync.service.sync(request).body)

    def part(self, answer: dict, room: RoomNid) -> dict:
        """What an answer says of a room the user is in."""
        return answer.get("rooms", {}).get("join", {}).get(self.graph.rooms.name(room).room_id, {})

    def slide(self, who: Requester, body: Mapping[str, Any], pos: str = "") -> dict:
        """One sliding sync."""
        request = SlidingRequest(who, parse_body(body), pos)
        return orjson.loads(self.app.sliding.service.sync(request).body)

    def slid(self, answer: dict, room: RoomNid) -> dict:
        """What a sliding sync's answer says of a room."""
        return answer["rooms"].get(self.graph.rooms.name(room).room_id, {})

    def let_go(self, who: Requester) -> None:
        """Memory forgets a user, as it does with those who are away for long."""
        user, active = self.notifier.user(who.user_nid), self.notifier._active
        active.drop(user)
        for room in user.joined:
            if not active.watchers(room):
                self.notifier.recent.unwatch(room)
