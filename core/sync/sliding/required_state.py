"""Which state of a room a client asked for: pairs of type and state key, each of which may be a wildcard.

`$ME` stands for the asker, and `$LAZY` among members for those whom the timeline needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ANY = "*"
ME = "$ME"
LAZY = "$LAZY"
MEMBER = "m.room.member"


@dataclass(frozen=True, slots=True)
class RequiredState:
    """A set of state keys. `types` match with any state key, `keys` with any type."""

    pairs: frozenset[tuple[str, str]] = frozenset()
    types: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    is_everything: bool = False
    is_lazy: bool = False

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> RequiredState:
        """What the pairs of a request mean together."""
        given = set(pairs)
        is_lazy = (MEMBER, LAZY) in given
        given.discard((MEMBER, LAZY))
        return cls(
            frozenset((type_, key) for type_, key in given if ANY not in (type_, key)),
            frozenset(type_ for type_, key in given if key == ANY and type_ != ANY),
            frozenset(key for type_, key in given if type_ == ANY and key != ANY),
            (ANY, ANY) in given,
            is_lazy,
        )

    def matches(self, type_: str, key: str, me: str) -> bool:
        """Whether it holds a state key without being lazy; `me` is the asker's id."""
        if self.is_everything or type_ in self.types or (type_, key) in self.pairs or key in self.keys:
            return True
        return key == me and ((type_, ME) in self.pairs or ME in self.keys)

    @property
    def is_scattered(self) -> bool:
        """Whether it takes a look at every key, members included, to find what it holds."""
        return self.is_everything or bool(self.keys) or MEMBER in self.types

    def __or__(self, other: RequiredState) -> RequiredState:
        return RequiredState(
            self.pairs | other.pairs,
            self.types | other.types,
            self.keys | other.keys,
            self.is_everything or other.is_everything,
            self.is_lazy or other.is_lazy,
        )

    def holds(self, other: RequiredState) -> bool:
        """Whether whatever `other` has is here as well, as far as the pairs say."""
        if self is other or self.is_everything:
            return other.is_lazy <= self.is_lazy
        return (
            other.is_lazy <= self.is_lazy
            and not other.is_everything
            and other.types <= self.types
            and other.keys <= self.keys
            and all(pair in self.pairs or pair[0] in self.types for pair in other.pairs)
        )


NOTHING = RequiredState()
