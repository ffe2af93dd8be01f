"""A model of device lists: a few users and rooms, and what each sync has to say, derived from snapshots of everything."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from core.events.room_versions import V11
from core.events.signatures import SigningKey
from core.graph.drafts import Draft
from core.graph.graph import Graph, build_graph
from core.ids import RoomNid, UserId
from tests.servers.encryption import Encryption, Person

NAMES = ("alice", "bob", "carol")
ROOMS = 3


@dataclass
class Snapshot:
    """What was so at one position: whom each user shared rooms with, and how often each list had changed."""

    position: int
    sharing: dict[UserId, frozenset[UserId]]
    versions: dict[UserId, int]


class Town:
    """Three users of one server, some rooms, and the model beside them."""

    def __init__(self, server: Encryption, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.owner = server.signed_in("owner")
        self.devices: dict[UserId, list[Person]] = {}
        for name in NAMES:
            person = server.signed_in(name)
            person.upload()
            self.devices[person.user_id] = [person]
        self.users = list(self.devices)
        self.versions = dict.fromkeys([*self.users, self.owner.user_id], 1)
        self.graph = self._graph()
        self.rooms: list[RoomNid] = [self._room() for _ in range(ROOMS)]
        self.members: dict[RoomNid, set[UserId]] = {room: {self.owner.user_id} for room in self.rooms}
        """The owner is in every room and has the power to throw others out."""
        self.snapshots: list[Snapshot] = []
        self.snap()

    def snap(self) -> Snapshot:
        """Remember what is so now."""
        sharing = {
            user: frozenset().union(*(members for members in self.members.values() if user in members)) - {user}
            for user in self.users
        }
        self.snapshots.append(Snapshot(self.server.tail.position, sharing, dict(self.versions)))
        return self.snapshots[-1]

    def step(self) -> str:
        """Do something at random; its name."""
        steps: list[Callable[[], None]] = [
            self.join,
            self.join,
            self.leave,
            self.add_device,
            self.delete_device,
            self.rename,
            self.talk,
            self.restart,
        ]
        step = self.random.choice(steps)
        step()
        return step.__name__

    def join(self) -> None:
        """Somebody joins a room, perhaps again."""
        room, user = self.random.choice(self.rooms), self.random.choice(self.users)
        if user not in self.members[room]:
            self._send(room, Draft("m.room.member", user, {"membership": "join"}, user))
            self.members[room].add(user)

    def leave(self) -> None:
        """Somebody leaves a room, or is thrown out."""
        room = self.random.choice(self.rooms)
        if present := sorted(self.members[room] - {self.owner.user_id}):
            user = self.random.choice(present)
            sender = self.random.choice([user, self.owner.user_id])
            self._send(room, Draft("m.room.member", sender, {"membership": "leave"}, user))
            self.members[room].discard(user)

    def talk(self) -> None:
        """The owner says something, and changes state that is nobody's membership."""
        self._send(self.rooms[0], Draft("m.room.message", self.owner.user_id, {"body": "x", "msgtype": "m.text"}))
        self._send(self.rooms[1], Draft("m.room.topic", self.owner.user_id, {"topic": str(self.random.random())}, ""))

    def add_device(self) -> None:
        """Somebody signs in on a new device, which publishes keys."""
        user = self.random.choice(self.users)
        device = self.devices[user][0].another()
        device.upload(1)
        self.devices[user].append(device)
        self.versions[user] += 1

    def delete_device(self) -> None:
        """Somebody signs out of a device; the first one stays."""
        user = self.random.choice(self.users)
        if len(self.devices[user]) > 1:
            self.devices[user].pop().ask("POST", "/logout")
            self.versions[user] += 1

    def rename(self) -> None:
        """Somebody names a device."""
        user = self.random.choice(self.users)
        device = self.random.choice(self.devices[user])
        device.ask("PUT", f"/devices/{device.device_id}", {"display_name": str(self.random.random())})
        self.versions[user] += 1

    def restart(self) -> None:
        """The server comes up again with nothing in memory."""
        self.server.build()
        self.graph = self._graph()

    def expected(self, user: UserId, then: Snapshot, now: Snapshot) -> tuple[list[UserId], list[UserId]]:
        """(changed, left) that a sync from `then` to `now` has to tell."""
        sharing, before = now.sharing[user], then.sharing[user]
        changed = {other for other in sharing if other not in before or now.versions[other] != then.versions[other]}
        if now.versions[user] != then.versions[user]:
            changed.add(user)
        return sorted(changed), sorted(before - sharing)

    def told(self, user: UserId, then: Snapshot, now: Snapshot) -> tuple[list[UserId], list[UserId]]:
        """(changed, left) that the server tells."""
        found = self.server.lists.between(self.server.interner.nid(user), then.position, now.position)
        return found.changed, found.left

    def _send(self, room: RoomNid, draft: Draft) -> None:
        self.graph.write.send(room, [draft])

    def _room(self) -> RoomNid:
        owner = self.owner.user_id
        drafts = [
            Draft("m.room.create", owner, {"room_version": "11"}, ""),
            Draft("m.room.member", owner, {"membership": "join"}, owner),
            Draft("m.room.power_levels", owner, {"users": {owner: 100}}, ""),
            Draft("m.room.join_rules", owner, {"join_rule": "public"}, ""),
        ]
        return self.graph.write.create(V11, drafts).room_nid

    def _graph(self) -> Graph:
        server, key = self.server, SigningKey("ed25519:a", b"k" * 32)
        return build_graph(server.database, server.writer, server.tail, server.interner, "example.org", key)
