"""Text as words that a full-text index of any engine can hold, and queries in the same words.

Engines disagree about where words end, ignore short and frequent ones, and know nothing of scripts without spaces. So
they are given words of our making, in ASCII letters and digits: a word of letters is itself behind `ww`, or `xx` and
the hexadecimal of its UTF-8 where it is not ASCII; of scripts without spaces every two neighboring characters are a
word, and the last one of a run, behind `cc`. A single character is found as the beginning of such a pair.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence

SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that write words without spaces between them, or with other words attached: Chinese, Japanese, Korean,
Thai, Lao, Burmese, Khmer."""

SHORTEST_BEGINNING = 3
"""A query's word of fewer letters matches whole words only."""
LONGEST_WORD = 38
"""Letters, or bytes where they are not ASCII, by which words are told apart: an engine's word has at most 84."""
MOST_WORDS = 20
"""Words of a query that count."""

_WORD = re.compile(rf"[{SPACELESS}]+|(?:(?![{SPACELESS}])[^\W_])+")
_IS_SPACELESS = re.compile(rf"[{SPACELESS}]")


def folded(text: str) -> str:
    """A text as it is compared: compatibility forms and case made alike."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> list[str]:
    """The words, and the runs of characters of scripts without spaces, of a text that is folded here."""
    return [found.group() for found in _WORD.finditer(folded(text))]


def index_text(text: str) -> str:
    """What the index is given for a text."""
    return " ".join(dict.fromkeys(token for word in words_of(text) for token in _tokens(word)))


def query_tokens(words: Sequence[str]) -> list[tuple[str, bool]]:
    """(token, whether it is only the beginning of one) that the index must have, all of them, for words to match."""
    found: dict[tuple[str, bool], None] = {}
    for word in words:
        if not is_spaceless(word):
            found[_token(word), len(word) >= SHORTEST_BEGINNING] = None
        elif len(word) == 1:
            found["cc" + word.encode().hex(), True] = None
        else:
            found.update(((token, False), None) for token in list(_tokens(word))[:-1])
    return list(found)


def is_spaceless(word: str) -> bool:
    """Whether a word is a run of characters of a script without spaces."""
    return _IS_SPACELESS.match(word) is not None


def score(words: Sequence[str], text: str) -> float:
    """How closely a text matches, 0 where a word is missing: the more of it the words are, the higher."""
    theirs = words_of(text)
    total = 0.0
    for word in words:
        if is_spaceless(word):
            count = sum(run.count(word) for run in theirs if is_spaceless(run))
        else:
            whole = theirs.count(word)
            is_begun = len(word) >= SHORTEST_BEGINNING
            count = 2 * whole + (sum(one.startswith(word) for one in theirs) - whole if is_begun else 0)
        if not count:
            return 0.0
        total += min(count, 8)
    return total / len(words) / math.sqrt(1 + len(theirs))


def _tokens(word: str) -> Iterator[str]:
    if not is_spaceless(word):
        yield _token(word)
        return
    for start in range(len(word)):
        yield "cc" + word[start : start + 2].encode("utf-8", "replace").hex()


def _token(word: str) -> str:
    if word.isascii():
        return "ww" + word[:LONGEST_WORD]
    return "xx" + word.encode("utf-8", "replace")[:LONGEST_WORD].hex()
