from collections.abc import Iterator

import pytest

from core.app import build
from core.config.first_start import prepare
from core.config.loader import config_from
from tests.servers.trellis import base_config
from tests.unit.sync.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    app = build(prepare(config_from(base_config(folder, 8448), None, {})))
    app.start()
    yield World(app)
    app.stop_waiting()
    app.close()
