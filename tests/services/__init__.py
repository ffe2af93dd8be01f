"""Other programs the tests need, started privately: a temporary folder, loopback, gone with the test session."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def lacking(reason: str) -> None:
    """Skip the test, or fail it where REQUIRE_ALL=1 says that everything must be there."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL=1, and {reason}", pytrace=False)
    pytest.skip(reason)


def program(*names: str) -> str:
    """The path of the first of `names` that is installed; otherwise the test is skipped, or fails (see `lacking`)."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    lacking(f"{' or '.join(names)} is not installed")
    raise AssertionError("unreachable")


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program that dies with this process, its output in `log`."""
    libc = ctypes.CDLL(None)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: libc.prctl(1, signal.SIGKILL),  # noqa: PLW1509  # PR_SET_PDEATHSIG; no threads here
        )


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    """Return once `is_ready()`; fail with the program's output if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program quickly; its files are about to be deleted."""
    process.kill()
    process.wait()
