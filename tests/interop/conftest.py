"""Where the other software is, and a server to try it on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.trellis import Server

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def interop_python():
    """The Python of the environment that holds the other software."""
    folder = os.environ.get("TRELLIS_INTEROP_VENV")
    python = Path(folder or "") / "bin" / "python"
    if folder is None or not python.exists():
        reason = "TRELLIS_INTEROP_VENV names no environment with matrix-nio"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return python


@pytest.fixture
def run_script(interop_python):
    """Run one of the scripts beside this file there; what it printed."""

    def run(name: str, *arguments: str) -> str:
        script = SCRIPTS / name
        done = subprocess.run([interop_python, script, *arguments], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server."""
    server = Server(tmp_path_factory.mktemp("interop"))
    server.start()
    yield server
    server.stop()


def run_with_restarts(command: list[object], server: Server) -> str:
    """Run a program, which may print `restart` or `kill` and then waits for a line; the last line it printed."""
    pipe = subprocess.PIPE
    with subprocess.Popen([str(one) for one in command], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        line = ""
        for line in process.stdout:
            if line.strip() in {"restart", "kill"}:
                (server.stop if line.strip() == "restart" else server.kill)()
                server.start()
                process.stdin.write("done\n")
                process.stdin.flush()
        errors = process.stderr.read()
    assert process.returncode == 0, line + errors[-5000:]
    return line.strip()
