"""How the configuration's numbers become sizes of caches."""

from __future__ import annotations

from core.config.workers import CachesConfig
from core.wiring.cache_budgets import CacheBudgets, cache_budgets


def test_without_any_setting_the_sizes_are_the_usual_ones() -> None:
    assert cache_budgets(CachesConfig()) == CacheBudgets()


def test_the_factor_scales_every_cache_and_0_leaves_nothing() -> None:
    usual, doubled = CacheBudgets(), cache_budgets(CachesConfig(global_factor=1.0))
    assert (doubled.events, doubled.tips, doubled.viewing) == (2 * usual.events, 2 * usual.tips, 2 * usual.viewing)
    assert cache_budgets(CachesConfig(global_factor=0.0)) == CacheBudgets(0, 0, 0, 0, 0)


def test_the_number_of_events_scales_what_holds_events() -> None:
    usual, more = CacheBudgets(), cache_budgets(CachesConfig(event_cache_size=40_960))
    assert (more.events, more.encoded_events, more.states) == (
        4 * usual.events,
        4 * usual.encoded_events,
        usual.states,
    )


def test_a_factor_of_its_own_takes_the_place_of_the_common_one() -> None:
    usual = CacheBudgets()
    found = cache_budgets(CachesConfig(per_cache_factors={"*getEvent*": 1.0, "visibility": 0.25}))
    assert (found.events, found.viewing) == (usual.events * 2, usual.viewing // 2)
    assert (found.states, found.encoded_events) == (usual.states, usual.encoded_events)
