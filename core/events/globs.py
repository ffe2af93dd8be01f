"""Glob-style patterns: `*` for any characters, `?` for one. Server ACLs, push rules and filters share them.

Patterns and texts both come from strangers, so matching never backtracks: the pieces between stars are found from left
to right and not reconsidered, which the atomic groups `(?>...)` express. Leftmost is always right, since a piece has a
fixed length and every star takes what is left.

Spec: Appendices, "Glob-style matching".
"""

from __future__ import annotations

import re

_WORD = "[A-Za-z0-9_]"


def is_glob(pattern: str) -> bool:
    """Whether `pattern` has wildcards at all; a plain one is compared."""
    return "*" in pattern or "?" in pattern


def whole_pattern(glob: str, question_mark: bool = True) -> str:
    """A regular expression for texts that match `glob` from end to end; for `re.match` with DOTALL.

    Without `question_mark` only the star is special, as in event filters.
    """
    texts = re.split(r"\*+", glob)
    first, *rest = [_piece(text, question_mark) for text in texts]
    if not rest:
        return rf"{first}\Z"
    *middle, last = rest
    inner = "".join(f"(?>.*?{piece})" for piece in middle)
    if not last:
        return first + inner
    # The last piece ends the text: look once at the end, after making sure that it is not reached into by the others.
    return rf"{first}{inner}(?=.{{{len(texts[-1])}}}).*+(?<={last})\Z"


def word_pattern(glob: str) -> str:
    """A regular expression for texts in which `glob` matches a part that starts and ends at a word boundary.

    For `re.match` with DOTALL. Spec: Push Notifications, `event_match` on `content.body`.
    """
    pieces = [_piece(text) for text in re.split(r"\*+", glob)]
    # A star at either end reaches the end of the text, which is a boundary.
    before = "" if glob.startswith("*") else f"(?<!{_WORD})"
    after = "" if glob.endswith("*") else f"(?!{_WORD})"
    inner = [piece for piece in pieces if piece] or [""]
    inner[0] = before + inner[0]
    inner[-1] += after
    return "".join(f"(?>.*?{piece})" for piece in inner)


def _piece(text: str, question_mark: bool = True) -> str:
    return "".join("." if question_mark and character == "?" else re.escape(character) for character in text)
