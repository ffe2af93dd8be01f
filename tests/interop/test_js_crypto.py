"""matrix-js-sdk with its Rust crypto, unmodified: encrypted conversations that survive whatever happens to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.interop.conftest import run_with_restarts

SCRIPTS = Path(__file__).parent / "js_crypto"


@pytest.fixture(scope="session")
def node():
    """Node, where it and the client library are installed."""
    folder = os.environ.get("TRELLIS_JS_SDK")
    found = shutil.which("node")
    if found is None or folder is None or not (Path(folder) / "node_modules" / "matrix-js-sdk").is_dir():
        reason = "TRELLIS_JS_SDK names no folder where npm installed matrix-js-sdk, or node is missing"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def test_a_conversation_survives_new_devices_restarts_logouts_and_recovery(node, server):
    alice, bob = server.register(password="secret"), server.register(password="secret")
    script = SCRIPTS / "life_of_a_conversation.mjs"
    command = [node, "--no-warnings", script, server.base, alice.user_id, bob.user_id, "secret"]
    assert run_with_restarts(command, server) == "understood"
