"""`caches.global_factor`, from the file to the size of a cache."""

from types import SimpleNamespace

import pytest

from core.config.workers import CachesConfig
from core.wiring.rooms import MOST_CACHE_BYTES, scaled


@pytest.mark.parametrize(
    ("factor", "size"), [(0.5, 1000), (1, 2000), (0.05, 100), (0, 0), (float("inf"), MOST_CACHE_BYTES)]
)
def test_a_cache_is_scaled_from_the_default_factor(factor: float, size: int) -> None:
    ground = SimpleNamespace(config=SimpleNamespace(caches=CachesConfig(global_factor=factor)))
    assert scaled(ground, 1000) == size
