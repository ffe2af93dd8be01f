"""Media through clients of other people, unmodified."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.client.media_client import noise


@pytest.fixture
def picture(tmp_path):
    """A file with a picture."""
    path = tmp_path / "picture.png"
    path.write_bytes(noise(200, 150))
    return path


def test_matrix_nio_sees_what_it_uploads(server, run_script, picture):
    alice = server.register()
    assert "shown" in run_script("nio_media.py", server.base, alice.user_id, alice.token, str(picture))


def test_matrix_js_sdk_sees_what_it_uploads(server, picture):
    folder = os.environ.get("TRELLIS_JS_SDK")
    node = shutil.which("node")
    if folder is None or node is None:
        pytest.skip("TRELLIS_JS_SDK names no folder with matrix-js-sdk, or there is no node")
    alice = server.register()
    script = Path(__file__).parent / "scripts" / "js_sdk_media.mjs"
    command = [node, script, server.base, alice.user_id, alice.token, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, "shown" in done.stdout) == (0, True), done.stdout + done.stderr
