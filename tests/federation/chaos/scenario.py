"""One run: users of several servers talk, rule and quarrel in one room while links break, servers die and clocks are wrong.

Everything is drawn from a seed. Each server has an anchor, who has all power and never leaves, so that every server
stays in the room; second users come and go as they are let.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote

import gevent
import requests

from tests.federation.chaos.cluster import Member, SynapseMember, history_of, state_of
from tests.federation.chaos.network import Cut, Network
from tests.servers.trellis import Refused, User

HEALED_SECONDS = 60.0
VERSIONS = ("6", "9", "10", "11", "12")
FEDERATION_TROUBLE = (502, 503, 504)


@dataclass
class Side:
    """One server and its users in the room."""

    server: Member | SynapseMember
    anchor: User
    others: list[User]


@dataclass
class Run:
    """A run and what became of it."""

    seed: int
    network: Network
    sides: Sequence[Side]
    room_id: str
    random: Random
    acknowledged: dict[str, str] = field(default_factory=dict)
    """What each acknowledged event was."""
    failures: list[str] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)

    def chaos(self, actions: int, troubles: int) -> None:
        """Let it happen, and repair everything afterwards."""
        actors = [gevent.spawn(self._act, side, Random(self.random.random()), actions) for side in self.sides]
        fate = gevent.spawn(self._trouble, troubles)
        gevent.joinall([*actors, fate], raise_error=True)
        self.heal()

    def heal(self) -> None:
        """All links whole, all servers up."""
        self.network.heal()
        for side in self.sides:
            if side.server.process is None or side.server.process.poll() is not None:
                side.server.start()

    def _act(self, side: Side, random: Random, actions: int) -> None:
        for number in range(actions):
            action = random.choices(
                (self._say, self._rule, self._come_and_go, self._judge, self._empower, self._redact),
                (12, 4, 3, 3, 1, 1),
            )[0]
            try:
                action(side, random, number)
            except Refused as refused:
                if (
                    refused.status >= 500
                    and refused.status not in FEDERATION_TROUBLE
                    and isinstance(side.server, Member)
                ):
                    self.failures.append(f"{side.server.name} answered {refused}")
            except requests.RequestException:
                gevent.sleep(0.1)
            gevent.sleep(random.random() * 0.05)

    def _say(self, side: Side, random: Random, number: int) -> None:
        user = random.choice([side.anchor, side.anchor, *side.others])
        self._acknowledge(user.send(self.room_id, f"{side.server.federation_port} {number}"), "message")

    def _rule(self, side: Side, random: Random, number: int) -> None:
        user = random.choice([side.anchor, *side.others])
        kind = random.choice(["m.room.topic", "m.room.name", "x.chaos", "m.room.join_rules"])
        content = {
            "m.room.topic": {"topic": f"{user.user_id} {number}"},
            "m.room.name": {"name": f"{user.user_id} {number}"},
            "x.chaos": {"n": number},
            "m.room.join_rules": {"join_rule": random.choice(["public", "invite"])},
        }[kind]
        key = f"k{random.randrange(4)}" if kind == "x.chaos" else ""
        self._acknowledge(user.set_state(self.room_id, kind, content, key), kind)

    def _come_and_go(self, side: Side, random: Random, number: int) -> None:
        user = random.choice(side.others)
        if random.random() < 0.6:
            user.join(self.room_id)
        else:
            user.post(f"/v3/rooms/{quote(self.room_id)}/leave")

    def _judge(self, side: Side, random: Random, number: int) -> None:
        other = random.choice(random.choice(self.sides).others)
        what = random.choice(["kick", "ban", "unban"])
        judge = random.choice([side.anchor, side.anchor, *side.others])
        judge.post(f"/v3/rooms/{quote(self.room_id)}/{what}", {"user_id": other.user_id})

    def _empower(self, side: Side, random: Random, number: int) -> None:
        levels = side.anchor.get(f"/v3/rooms/{quote(self.room_id)}/state/m.room.power_levels")
        other = random.choice(random.choice(self.sides).others)
        levels["users"][other.user_id] = random.choice([0, 50, 60])
        self._acknowledge(side.anchor.set_state(self.room_id, "m.room.power_levels", levels), "power levels")

    def _redact(self, side: Side, random: Random, number: int) -> None:
        if self.acknowledged:
            event_id = random.choice(list(self.acknowledged))
            if self.acknowledged[event_id] == "message":
                path = f"/v3/rooms/{quote(self.room_id)}/redact/{quote(event_id, safe='')}/r{number}.{self.seed}"
                self._acknowledge(side.anchor.put(path, {})["event_id"], "redaction")

    def _acknowledge(self, event_id: str, kind: str) -> None:
        self.acknowledged[event_id] = kind

    def _trouble(self, troubles: int) -> None:
        for _ in range(troubles):
            trouble = self.random.choices((self._split, self._cut, self._kill, self.network.heal), (3, 3, 2, 2))[0]
            trouble()
            gevent.sleep(self.random.random() * 0.8)

    def _split(self) -> None:
        """The servers fall apart into two groups."""
        group = {id(side) for side in self.sides if self.random.random() < 0.5}
        how = self.random.choice(list(Cut))
        self.diary.append(f"split {how.value}")
        for one in self.sides:
            for other in self.sides:
                if (id(one) in group) != (id(other) in group):
                    self.network.link(one.server.federation_port, other.server.federation_port).cut(how)

    def _cut(self) -> None:
        """One direction between two servers fails."""
        one, other = self.random.sample(list(self.sides), 2)
        how = self.random.choice(list(Cut))
        self.diary.append(f"cut {how.value}")
        self.network.link(one.server.federation_port, other.server.federation_port).cut(how)

    def _kill(self) -> None:
        """A server dies and comes back with another clock."""
        server = self.random.choice(self.sides).server
        self.diary.append(f"kill {server.name}")
        server.kill()
        gevent.sleep(self.random.random())
        server.skew = self.random.choice([0, 0, -600, -5, 3, 900])
        server.start()


def start_run(seed: int, network: Network, servers: Sequence[Member | SynapseMember]) -> Run:
    """A new room with users of all servers in it."""
    random = Random(seed)
    anchors = [server.register() for server in servers]
    sides = [
        Side(server, anchor, [server.register() for _ in range(2)])
        for server, anchor in zip(servers, anchors, strict=True)
    ]
    levels = {"users": {anchor.user_id: 100 for anchor in anchors[1:]}, "state_default": 50, "users_default": 0}
    version = random.choice(VERSIONS)
    if version != "12":
        levels["users"][anchors[0].user_id] = 100
    for side in sides:
        levels["users"][side.others[0].user_id] = 50
    room_id = anchors[0].create_room(preset="public_chat", room_version=version, power_level_content_override=levels)
    for side in sides:
        for user in (side.anchor, *side.others):
            if user is not anchors[0]:
                user.join(room_id, via=servers[0].name)
    return Run(seed, network, sides, room_id, random)


def unequal_knowledge(run: Run) -> list[str]:
    """Which events are not known, or not rejected, everywhere."""
    known = {side.server.name: one for side in run.sides if (one := side.server.known(run.room_id)) is not None}
    found = list(run.failures)
    for name in ("placed", "rejected"):
        common = frozenset.intersection(*(getattr(one, name) for one in known.values()))
        for server, one in known.items():
            if more := getattr(one, name) - common:
                found.append(f"{server}: {len(more)} {name} events that not all have")
    return found


def differences(run: Run) -> list[str]:
    """What the servers do not agree on, or have lost."""
    found = unequal_knowledge(run)
    states = [state_of(side.anchor, run.room_id) for side in run.sides]
    for side, state in zip(run.sides, states, strict=True):
        differing = {key for key in {*state, *states[0]} if state.get(key) != states[0].get(key)}
        if differing:
            found.append(f"{side.server.name} has another state than the first: {sorted(differing)}")
    if found:
        return found
    for side in run.sides:
        known = side.server.known(run.room_id)
        if known is None:
            continue
        lost = run.acknowledged.keys() - history_of(side.anchor, run.room_id) - known.hidden
        if lost:
            found.append(f"{side.server.name} does not show {sorted(lost)}")
    return found


def agreed_after(run: Run, seconds: float = HEALED_SECONDS) -> float:
    """How long it took until nothing differed. Raises AssertionError where it never came to that.

    What one server has soft-failed, and another has not, may lead them to different states until somebody speaks and so
    ties the ends together: the anchors do once all events have come.
    """
    started = time.monotonic()
    _wait(run, unequal_knowledge, started + seconds)
    for side in run.sides:
        run.acknowledged[side.anchor.send(run.room_id, "good night")] = "message"
    _wait(run, differences, started + seconds)
    return time.monotonic() - started


def _wait(run: Run, differing: Callable[[Run], list[str]], deadline: float) -> None:
    while found := differing(run):
        if time.monotonic() > deadline:
            story = ", ".join(run.diary)
            raise AssertionError(f"seed {run.seed}, room {run.room_id}: {found}; after {story}")
        gevent.sleep(0.25)
