"""How much memory the large caches may take, in bytes.

The configuration has Synapse's keys: `caches.global_factor` scales all of them, its default 0.5 standing for the sizes
here; `event_cache_size` scales those of events besides.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.config.workers import CachesConfig

_USUAL_FACTOR, _USUAL_EVENTS = 0.5, 10_240
_MIB = 1_048_576


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
    usual, factor = CacheBudgets(), config.global_factor / _USUAL_FACTOR
    of_events = factor * config.event_cache_size / _USUAL_EVENTS
    return CacheBudgets(
        events=int(usual.events * of_events),
        states=int(usual.states * factor),
        tips=int(usual.tips * factor),
        encoded_events=int(usual.encoded_events * of_events),
        viewing=int(usual.viewing * factor),
    )
