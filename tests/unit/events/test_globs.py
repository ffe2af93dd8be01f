"""Glob patterns: against a naive matcher, and in time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events.globs import whole_pattern, word_pattern

texts = st.text("ab_. \n", max_size=12)
globs = st.text("ab_. *?", max_size=8)


def naive(glob: str, text: str) -> bool:
    """Whether `glob` matches all of `text`, by trying everything."""
    if not glob:
        return not text
    if glob[0] == "*":
        return naive(glob[1:], text) or (bool(text) and naive(glob, text[1:]))
    return bool(text) and glob[0] in ("?", text[0]) and naive(glob[1:], text[1:])


def at_boundary(text: str, place: int, side: int) -> bool:
    """Whether a part may start (`side` -1) or end (0) at `place`."""
    outside = place + side
    return not 0 <= outside < len(text) or re.match("[A-Za-z0-9_]", text[outside]) is None


@given(globs, texts)
def test_a_glob_matches_whole_texts_as_a_naive_matcher_does(glob: str, text: str) -> None:
    assert bool(re.match(whole_pattern(glob), text, re.DOTALL)) == naive(glob, text)


@given(globs, texts)
def test_a_glob_matches_between_word_boundaries_as_a_naive_matcher_does(glob: str, text: str) -> None:
    starts = [place for place in range(len(text) + 1) if at_boundary(text, place, -1)]
    ends = [place for place in range(len(text) + 1) if at_boundary(text, place, 0)]
    expected = any(naive(glob, text[start:end]) for start in starts for end in ends if start <= end)
    assert bool(re.match(word_pattern(glob), text, re.DOTALL)) == expected


def test_without_question_mark_only_the_star_is_special() -> None:
    pattern = re.compile(whole_pattern("a?*", question_mark=False), re.DOTALL)
    assert pattern.match("a?b")
    assert not pattern.match("ab")


@pytest.mark.parametrize("compile_glob", [whole_pattern, word_pattern])
def test_hostile_globs_take_time_in_proportion_to_the_text(compile_glob: object) -> None:
    assert callable(compile_glob)
    pattern = re.compile(compile_glob("*a" * 100 + "*b"), re.DOTALL)
    start = time.process_time()
    assert not pattern.match("a " * 30_000)
    assert time.process_time() - start < 0.5
