"""kill -9 between any two statements changes nothing: what is there is what the oracle says of the events that are."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_room_that_grows_through_many_deaths_is_always_whole(tmp_path, seed):
    command = [sys.executable, "-m", "tests.graph.lives", str(tmp_path / "hs.db"), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
