"""Ten thousand clients that wait: they fit into memory, and all hear of a message at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCOUNTS = 10_000
MOST_MB, MOST_SECONDS = 400, 5.0


@pytest.mark.soak
def test_ten_thousand_clients_wait_in_400_mb_and_are_told_within_5_s() -> None:
    command = [sys.executable, "-m", "tests.bench.bench_idle", str(ACCOUNTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1_800)
    assert done.returncode == 0, done.stderr[-2_000:]
    measured = json.loads(done.stdout)
    assert measured["told"] == ACCOUNTS
    assert measured["waiting_mb"] <= MOST_MB
    assert measured["seconds_until_all_were_told"] <= MOST_SECONDS
