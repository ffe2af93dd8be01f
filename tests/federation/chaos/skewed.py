"""Runs a server whose clock is wrong: `python -m tests.federation.chaos.skewed SECONDS ARGUMENTS-OF-GUNICORN`."""

from __future__ import annotations

import sys
import time

from gunicorn.app.wsgiapp import run


def main() -> None:
    """Put the clock forward, or back, and become gunicorn."""
    seconds, real = float(sys.argv[1]), time.time
    time.time = lambda: real() + seconds
    sys.argv[:2] = ["gunicorn"]
    run()


if __name__ == "__main__":
    main()
