"""How long to wait for somebody who is nearly always in time: long, until they were late; then hardly, until they are back.

So an answer is right although a disk or a database was slow for a moment, and who has fallen far behind holds each
answer up by no more than a blink.
"""

from __future__ import annotations

LONG_SECONDS = 5.0
SHORT_SECONDS = 0.05


class Patience:
    """One per somebody who is waited for."""

    def __init__(self) -> None:
        self._was_late = False

    @property
    def seconds(self) -> float:
        """How long to wait this time."""
        return SHORT_SECONDS if self._was_late else LONG_SECONDS

    def note(self, was_in_time: bool) -> None:
        """How the waiting went."""
        self._was_late = not was_in_time
