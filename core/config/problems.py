"""The one way configuration fails: sentences for the administrator, never a traceback."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used. `sentences` says, one each, what is wrong and what is allowed."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
