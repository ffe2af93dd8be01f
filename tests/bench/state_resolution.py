"""CPU of resolving two states of 10,000 entries that differ in 50, with auth chains 500 deep, all in memory.

    python -m tests.bench.state_resolution

Prints one JSON line; the budget is 50 ms for room version 10.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from core.events.room_versions import V1, V10, V12, RoomVersion
from core.events.state_resolution import resolve
from core.ids import EventId
from tests.unit.events.forked_rooms import LeveledMemory, Memory, State, make_event

BUDGET_MS = 50.0
ALICE = "@alice:s.example"


class BigRoom:
    """A room whose power levels were changed `depth` times and that many users joined, forked at the end."""

    def __init__(self, version: RoomVersion, depth: int = 500, entries: int = 10_000, differences: int = 50) -> None:
        self.version, self.memory, self.state = version, Memory(), State()
        creator = {} if version.implicit_creator else {"creator": ALICE}
        self._in_all = [] if version.room_id_is_create_hash else ["$create"]
        self._add("$create", "m.room.create", ALICE, "", {"room_version": version.id, **creator}, [])
        self._add("$alice", "m.room.member", ALICE, ALICE, {"membership": "join"}, self._in_all)
        levels = "$alice"
        for number in range(depth):
            users = (
                {"@bob:s.example": number} if version.privileged_creators else {ALICE: 100, "@bob:s.example": number}
            )
            auth = [*self._in_all, "$alice", *([levels] if number else [])]
            levels = self._add(f"$pl{number}", "m.room.power_levels", ALICE, "", {"users": users}, auth)
        rules = [*self._in_all, "$alice", levels]
        self._add("$rules", "m.room.join_rules", ALICE, "", {"join_rule": "public"}, rules)
        for number in range(entries - len(self.state)):
            self._join(number, "", [*self._in_all, "$rules", f"$pl{depth - 1 - number * depth // entries}"])
        self.sides = [self._side("left", differences, levels), self._side("right", differences, levels)]

    def _side(self, name: str, differences: int, levels: str) -> State:
        """One side of the fork: every other change a ban, the others renames."""
        base, self.state = self.state, dict(self.state)
        for number in range(differences):
            user = f"@u{number}:s.example"
            member = self.state["m.room.member", user]
            if number % 2 and name == "left":
                auth = [*self._in_all, "$alice", levels, member]
                self._add(f"$ban{number}", "m.room.member", ALICE, user, {"membership": "ban"}, auth)
            else:
                self._join(number, name, [*self._in_all, "$rules", levels, member])
        side, self.state = self.state, base
        return side

    def _join(self, number: int, name: str, auth: list[str]) -> None:
        user = f"@u{number}:s.example"
        content = {"membership": "join", "displayname": name}
        self._add(f"$u{number}{name}", "m.room.member", user, user, content, auth)

    def _add(
        self, event_id: str, event_type: str, sender: str, state_key: str, content: dict[str, Any], auth: list[str]
    ) -> str:
        number = len(self.memory.by_id)
        room_id = "!create" if self.version.room_id_is_create_hash else "!room:s.example"
        event = make_event(
            self.version, event_id, event_type, sender, state_key, content, auth, (), number, number, room_id
        )
        self.memory.by_id[event.event_id] = event
        self.state[event.key] = event.event_id
        return event_id


def measure(room: BigRoom, memory: Memory, rounds: int = 5) -> float:
    """The least CPU milliseconds of one resolution."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        resolve(room.version, room.sides, memory)
        times.append((time.process_time() - start) * 1000)
    return min(times)


def main() -> int:
    """Measure every algorithm; exit code 1 where the budget is exceeded."""
    figures: dict[str, float] = {}
    for version in (V1, V10, V12):
        room = BigRoom(version)
        leveled = LeveledMemory(room.memory.by_id)
        leveled.auth_levels([EventId("$pl499"), *room.sides[0].values(), *room.sides[1].values()])
        figures[f"v{version.state_resolution.value}"] = round(measure(room, room.memory), 2)
        figures[f"v{version.state_resolution.value}, auth levels known"] = round(measure(room, leveled), 2)
    sys.stdout.write(json.dumps({"resolve_10000_entries_50_differences_cpu_ms": figures}) + "\n")
    return 0 if figures["v2"] <= BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
