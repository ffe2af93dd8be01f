"""Numbers of strings, inside a job: those interned before are found, others are reported, since a job must not wait."""

from __future__ import annotations

from core.ids import TextNid
from core.storage.interning import Interner


class NotInterned(Exception):
    """A string has no number yet: intern it, and start the append anew."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def number_of(texts: Interner, text: str) -> TextNid:
    """The number of a string. Raises NotInterned."""
    found = texts.find(text)
    if found is None:
        raise NotInterned(text)
    return found
