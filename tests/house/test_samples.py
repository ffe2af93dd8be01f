"""The samples of README and docs do what they say, run as they stand there against a real server."""

import os
import re
import subprocess
import sys

import pytest

from tests.servers.trellis import ROOT, Server


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path, server_name="localhost").start()
    yield server
    server.stop()


def run(server, script):
    """The shell script, with hsctl and the documented address leading to `server`."""
    prelude = (
        f'set -euo pipefail\nhsctl() {{ {sys.executable} -m core.cli "$@"; }}\npython() {{ {sys.executable} "$@"; }}\n'
    )
    script = script.replace("http://127.0.0.1:8008", server.base)
    env = {**os.environ, "HS_CONFIG": str(server.config_path)}
    done = subprocess.run(
        ["bash", "-c", prelude + script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def block(page, after):
    """The indented lines that follow the heading `after`."""
    text = (ROOT / page).read_text().split(after, 1)[1]
    text = re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0]
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") or not line)


def test_the_first_message_of_the_readme_arrives(server):
    assert '"body":"Hello, Bob"' in run(server, block("README.md", "## First message in five minutes"))
