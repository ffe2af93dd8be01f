"""Sync tokens: `s<position>_<epoch>.<n>`.

`position` is a place in the log and holds for ever. `n` counts what is only in memory (typing, presence) and means
something only within its `epoch`: after a restart the epoch is another, and everything current is sent again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import InvalidParam
from core.ids import Position

_TOKEN = re.compile(r"s(\d{1,18})_(\d{1,18})\.(\d{1,18})")


@dataclass(frozen=True, slots=True)
class SyncToken:
    """What the holder has been told: everything up to `position`, and of memory what was counted up to `n`."""

    position: Position
    epoch: int = 0
    n: int = 0

    def __str__(self) -> str:
        return f"s{self.position}_{self.epoch}.{self.n}"

    @classmethod
    def parse(cls, text: str) -> SyncToken:
        """Read a token. Raises InvalidParam (400) for what this server cannot have given out."""
        found = _TOKEN.fullmatch(text)
        if found is None or not text.isascii():
            raise InvalidParam(f"'since' is {text[:100]!r}; it must be the next_batch of an earlier sync.")
        return cls(Position(int(found[1])), int(found[2]), int(found[3]))

    def counted_since(self, epoch: int) -> int:
        """The count in `epoch`; 0, which is before everything, for a token of another epoch."""
        return self.n if self.epoch == epoch else 0
