"""How much memory the large caches may take, in bytes.

The configuration has Synapse's keys: `caches.global_factor` scales all of them, its default 0.5 standing for the sizes
here; `event_cache_size` scales those of events besides, and `caches.per_cache_factors` has other factors for single ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.config.workers import CachesConfig

_USUAL_FACTOR, _USUAL_EVENTS = 0.5, 10_240
_MIB = 1_048_576
_SYNAPSES = {
    "getevent": "events",
    "stategroupcache": "states",
    "_get_current_state_ids": "current_states",
    "get_partial_current_state_ids": "current_states",
}
"""Names of Synapse's caches, to ours for the same."""


@dataclass(frozen=True, slots=True)
class CacheBudgets:
    """Bytes for stored events, for states at their places, for current states, for encoded events, for who sees what.

    Sizes are estimates that leave out some of what Python adds; at 0 each cache still holds its latest entry.
    """

    events: int = 32 * _MIB
    states: int = 16 * _MIB
    tips: int = 32 * _MIB
    encoded_events: int = 32 * _MIB
    viewing: int = 16 * _MIB


def cache_budgets(config: CachesConfig) -> CacheBudgets:
    """The budgets that the configuration asks for."""
    usual, events = CacheBudgets(), config.event_cache_size / _USUAL_EVENTS
    single = {_ours(name): factor for name, factor in config.per_cache_factors.items()}

    def scaled(name: str, size: int, by: float = 1.0) -> int:
        return int(size * by * single.get(name, config.global_factor) / _USUAL_FACTOR)

    return CacheBudgets(
        events=scaled("events", usual.events, events),
        states=scaled("states", usual.states),
        tips=scaled("current_states", usual.tips),
        encoded_events=scaled("encoded_events", usual.encoded_events, events),
        viewing=scaled("visibility", usual.viewing),
    )


def _ours(name: str) -> str:
    """The cache that a name of Synapse's stands for, which may be written with stars around it; others are ours."""
    plain = name.strip("*")
    return _SYNAPSES.get(plain.lower(), plain)
