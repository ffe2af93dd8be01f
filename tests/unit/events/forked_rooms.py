"""A small room of several servers that fork, act on their own and meet again. No I/O, no clock, no signatures.

Each server holds the events it has received and its own forward extremities. It builds events on the state it resolves
itself, refuses what the auth rules refuse there, and takes what others send once it has all prev events. The simulator
decides nothing about rules: it calls `authorize` and `resolve` as a server would.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from core.errors import AuthRuleViolation
from core.events.auth_rules import auth_event_keys, authorize
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.events.state_resolution import resolve
from core.ids import EventId, RoomId, StateKey, UserId

State = dict[StateKey, EventId]
ROOM = "room.example"


@dataclass
class Memory:
    """Every event by id: a `Lookup` that answers from memory and counts what it was asked."""

    by_id: dict[EventId, Event] = field(default_factory=dict)
    rejected: set[EventId] = field(default_factory=set)
    events_read: int = 0

    def events(self, ids: Collection[EventId]) -> Mapping[EventId, Event]:
        self.events_read += len(ids)
        return {one: self.by_id[one] for one in ids if one in self.by_id}

    def auth_edges(self, ids: Collection[EventId]) -> Mapping[EventId, Collection[EventId]]:
        return {one: self.by_id[one].auth_event_ids for one in ids if one in self.by_id}

    def is_rejected(self, one: EventId) -> bool:
        return one in self.rejected


@dataclass
class LeveledMemory(Memory):
    """A `Memory` that keeps auth levels as well, so that walks stop early."""

    levels: dict[EventId, int] = field(default_factory=dict)

    def auth_levels(self, ids: Collection[EventId]) -> Mapping[EventId, int]:
        return {one: self._level(one) for one in ids if one in self.by_id}

    def _level(self, one: EventId) -> int:
        waiting = [one]
        while waiting:
            top = waiting[-1]
            unknown = [auth for auth in self.by_id[top].auth_event_ids if auth not in self.levels]
            if unknown:
                waiting.extend(unknown)
            else:
                above = (self.levels[auth] for auth in self.by_id[top].auth_event_ids)
                self.levels[waiting.pop()] = max(above, default=-1) + 1
        return self.levels[one]


def make_event(
    version: RoomVersion,
    event_id: str,
    event_type: str,
    sender: str,
    state_key: str | None,
    content: dict[str, Any],
    auth: Collection[str] = (),
    prev: Collection[str] = (),
    depth: int = 1,
    ts: int = 0,
    room_id: str = "!room:example",
) -> Event:
    """An event with an invented id."""
    pdu: dict[str, Any] = {
        "event_id": event_id,
        "room_id": room_id,
        "type": event_type,
        "sender": sender,
        "content": content,
        "auth_events": list(auth),
        "prev_events": list(prev),
        "depth": depth,
        "origin_server_ts": ts,
    }
    if state_key is not None:
        pdu["state_key"] = state_key
    if version.room_id_is_create_hash and event_type == "m.room.create":
        del pdu["room_id"]
    return Event(
        version=version,
        event_id=EventId(event_id),
        room_id=RoomId(room_id),
        type=event_type,
        sender=UserId(sender),
        state_key=state_key,
        content=content,
        prev_event_ids=tuple(EventId(one) for one in prev),
        auth_event_ids=tuple(EventId(one) for one in auth),
        depth=depth,
        origin_server_ts=ts,
        redacts=None,
        pdu=pdu,
    )


@dataclass
class Server:
    """One server's view of the room."""

    name: str
    received: dict[EventId, State] = field(default_factory=dict)
    """The state after each event this server has, soft-failure left aside; after a rejected one, that before it."""
    extremities: set[EventId] = field(default_factory=set)


class ForkedRoom:
    """A room that `servers` share. Every server has one user, `@u:<server>`; the first one's created the room."""

    def __init__(self, version: RoomVersion, servers: int = 5) -> None:
        self.version = version
        self.memory = Memory()
        self.servers = [Server(f"s{number}.example") for number in range(servers)]
        self._count = 0
        self.room_id = "!" + ROOM if version.room_id_is_create_hash else "!room:s0.example"
        self._found()

    @property
    def users(self) -> list[str]:
        """The user of each server."""
        return [f"@u:{server.name}" for server in self.servers]

    def _found(self) -> None:
        """Create the room, let everybody in and hand the beginnings to all."""
        first, alice = self.servers[0], self.users[0]
        creator = {} if self.version.implicit_creator else {"creator": alice}
        levels = {} if self.version.privileged_creators else {alice: 100}
        beginnings: list[tuple[str, str, str, dict[str, Any]]] = [
            ("m.room.create", alice, "", {"room_version": self.version.id, **creator}),
            ("m.room.member", alice, alice, {"membership": "join"}),
            ("m.room.power_levels", alice, "", {"users": levels | {self.users[1]: 50}}),
            ("m.room.join_rules", alice, "", {"join_rule": "public"}),
            *(("m.room.member", user, user, {"membership": "join"}) for user in self.users[1:]),
        ]
        for event_type, sender, state_key, content in beginnings:
            if self.send(first, event_type, sender, state_key, content) is None:
                raise AssertionError(f"{event_type} of {sender} was refused")
        for server in self.servers[1:]:
            self.exchange(first, server)

    def state_of(self, server: Server) -> State:
        """The current state as `server` resolves it."""
        return self.merge([server.received[one] for one in sorted(server.extremities)])

    def merge(self, states: list[State]) -> State:
        """The resolution of `states`."""
        return resolve(self.version, states, self.memory)

    def send(
        self, server: Server, event_type: str, sender: str, state_key: str | None, content: dict[str, Any], ts: int = 0
    ) -> Event | None:
        """Let `server` send an event on its own state; None where the rules refuse it there."""
        prev = sorted(server.extremities)
        state = self.state_of(server) if prev else {}
        depth = 1 + max((self.memory.by_id[one].depth for one in prev), default=0)
        keys = auth_event_keys(self.version, event_type, sender, state_key, content)
        auth = [state[key] for key in keys if key in state]
        self._count += 1
        number = self._count
        name = f"${ROOM}" if event_type == "m.room.create" else f"${number * 7919 % 10_000:04d}-{number}"
        ts = ts or number
        event = make_event(
            self.version, name, event_type, sender, state_key, content, auth, prev, depth, ts, self.room_id
        )
        if not self._allowed(event, state):
            return None
        self.memory.by_id[event.event_id] = event
        self._receive(server, event)
        return event

    def exchange(self, source: Server, target: Server) -> None:
        """Hand everything `target` lacks from `source` to it, oldest first."""
        missing = [one for one in source.received if one not in target.received]
        for one in sorted(missing, key=lambda one: (self.memory.by_id[one].depth, one)):
            self._receive(target, self.memory.by_id[one])

    def settle(self) -> None:
        """Hand everything to everybody."""
        for source in self.servers:
            for target in self.servers:
                self.exchange(source, target)

    def _receive(self, server: Server, event: Event) -> None:
        before = self.merge([server.received[one] for one in event.prev_event_ids])
        accepted = self._allowed(event, before)
        after = dict(before)
        if accepted and event.is_state:
            after[event.key] = event.event_id
        server.received[event.event_id] = after
        if not accepted:
            self.memory.rejected.add(event.event_id)
            return
        server.extremities -= set(event.prev_event_ids)
        server.extremities.add(event.event_id)

    def _allowed(self, event: Event, state: State) -> bool:
        def look_up(event_type: str, state_key: str) -> Event | None:
            one = state.get((event_type, state_key))
            return None if one is None else self.memory.by_id[one]

        try:
            authorize(event, look_up)
        except AuthRuleViolation:
            return False
        return True


def act_at_random(room: ForkedRoom, random: Random, actions: int) -> None:
    """Let random servers do random things and meet now and then: bans, kicks, demotions, join rules, topics."""
    for _ in range(actions):
        server = random.choice(room.servers)
        actor, target = f"@u:{server.name}", random.choice(room.users)
        ts = random.randrange(1, 40)
        match random.randrange(9):
            case 0 | 1:
                room.exchange(random.choice(room.servers), server)
            case 2:
                membership = {"membership": random.choice(("ban", "leave"))}
                room.send(server, "m.room.member", actor, target, membership, ts)
            case 3:
                room.send(server, "m.room.member", actor, target, {"membership": "invite"}, ts)
            case 4:
                room.send(server, "m.room.member", actor, actor, {"membership": random.choice(("join", "leave"))}, ts)
            case 5:
                rule = {"join_rule": random.choice(("public", "invite"))}
                room.send(server, "m.room.join_rules", actor, "", rule, ts)
            case 6 | 7:
                users = {user: random.choice((0, 50, 100)) for user in random.sample(room.users, 3)}
                if not room.version.privileged_creators:
                    users.setdefault(room.users[0], 100)
                else:
                    users.pop(room.users[0], None)
                room.send(server, "m.room.power_levels", actor, "", {"users": users}, ts)
            case _:
                room.send(server, "m.room.topic", actor, "", {"topic": str(ts)}, ts)
