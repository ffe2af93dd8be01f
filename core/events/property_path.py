"""Dot-separated property paths, such as `content.m\\.relates_to.rel_type`. Push rules and filters use them.

Spec: Appendices, "Dot-separated property paths".
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[.\\]|\.|[^.\\]+|\\", re.DOTALL)


def split_path(path: str) -> tuple[str, ...]:
    """The property names of `path`, outermost first.

    An escaped dot or backslash stands for the character; a backslash before anything else stands for itself.
    """
    names, name = [], ""
    for token in _TOKEN.findall(path):
        if token == ".":
            names.append(name)
            name = ""
        else:
            name += token[1] if len(token) == 2 and token[0] == "\\" else token
    return (*names, name)
