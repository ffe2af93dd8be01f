"""What a resolution decided and why, for people.

The algorithms write into a `Trace` as they go, if one is handed in; they never read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.events.event import Event
from core.ids import StateKey


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the auth rules did not let into the state.

    `against` are the state events the rules looked at, by key: the culprit is among them.
    """

    event_id: str
    key: StateKey
    rule: str
    sentence: str
    against: Mapping[StateKey, str]


@dataclass(slots=True)
class Trace:
    """The course of one resolution, all in event ids."""

    algorithm: str = ""
    conflicted: dict[StateKey, list[str]] = field(default_factory=dict)
    auth_difference: list[str] = field(default_factory=list)
    subgraph: list[str] = field(default_factory=list)
    full_conflicted: list[str] = field(default_factory=list)
    power_order: list[str] = field(default_factory=list)
    mainline_order: list[tuple[str, int | None]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    overruled: list[str] = field(default_factory=list)

    def note_conflict(self, key: StateKey, event_ids: Iterable[str]) -> None:
        """The states do not agree on `key`."""
        self.conflicted[key] = sorted(event_ids)

    def note_full_conflicted_set(
        self, full: Sequence[str], auth_difference: Sequence[str], subgraph: Sequence[str]
    ) -> None:
        """Which events are in question."""
        self.full_conflicted = list(full)
        self.auth_difference = list(auth_difference)
        self.subgraph = list(subgraph)

    def note_refusal(self, event: Event, rule: str, sentence: str, against: Mapping[StateKey, str]) -> None:
        """The rules refused `event`."""
        self.refused.append(Refusal(event.event_id, event.key, rule, sentence, dict(against)))

    def as_json(self) -> dict[str, Any]:
        """The trace as one JSON object. State keys become `{"type", "state_key"}`, orders run from first to last."""
        return {
            "algorithm": self.algorithm,
            "conflicted": [{**_key(key), "events": ids} for key, ids in sorted(self.conflicted.items())],
            "auth_difference": self.auth_difference,
            "conflicted_subgraph": self.subgraph,
            "full_conflicted_set": self.full_conflicted,
            "power_events": self.power_order,
            "other_events": [{"event": one, "mainline_position": place} for one, place in self.mainline_order],
            "accepted": self.accepted,
            "refused": [
                {
                    "event": refusal.event_id,
                    **_key(refusal.key),
                    "rule": refusal.rule,
                    "reason": refusal.sentence,
                    "against": [{**_key(key), "event": one} for key, one in sorted(refusal.against.items())],
                }
                for refusal in self.refused
            ],
            "kept_unconflicted_over": self.overruled,
        }


def _key(key: StateKey) -> dict[str, str]:
    return {"type": key[0], "state_key": key[1]}
