"""matrix-js-sdk, unmodified and without encryption: what it shows of rooms, conversations and settings."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.trellis import Server

SCENARIOS = Path(__file__).parent / "js"


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    """A server that lets anybody register."""
    options = {"enable_registration": True, "enable_registration_without_verification": True}
    server = Server(tmp_path_factory.mktemp("js"), **options)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sdk_folder():
    """The folder in which npm installed the SDK."""
    folder = os.environ.get("TRELLIS_JS_SDK")
    if folder is None or not (Path(folder) / "node_modules" / "matrix-js-sdk").exists():
        reason = "TRELLIS_JS_SDK names no folder where npm installed matrix-js-sdk"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.mark.parametrize("scenarios", ["conversation", "threads", "rooms", "account", "sliding"])
def test_the_sdk_shows_what_happened(open_server, sdk_folder, scenarios):
    command = ["node", str(SCENARIOS / f"{scenarios}.mjs"), open_server.base]
    env = {**os.environ, "TRELLIS_JS_SDK": sdk_folder}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
