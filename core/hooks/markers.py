"""How a hook is declared (`spec`, ours) and how a plugin says that it implements one (`hookimpl`, theirs).

A spec is a function without a body. Beside its signature it carries a policy: how its answers are combined, what a
failure means and how long one plugin may take. The guard obeys the policy; the docstring says the same in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, ParamSpec, TypeVar

import pluggy

PROJECT: Final = "trellis"
"""pluggy's project name, and the start of the entry-point group's."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function or method of a plugin as the implementation of the hook of the same name."""

_hookspec = pluggy.HookspecMarker(PROJECT)
_POLICY: Final = "trellis_policy"

P = ParamSpec("P")
R = TypeVar("R")
_Answer = TypeVar("_Answer")


class Kind(Enum):
    """How the answers of several plugins become one."""

    JUDGE = "judge"
    """The first verdict that is not None wins; without any, the thing is allowed."""
    ASK = "ask"
    """The first answer that is not None wins; without any, the server does what it does without plugins."""
    TELL = "tell"
    """All are told, nobody answers."""
    CONTRIBUTE = "contribute"
    """All answer with declarations, once, while the server starts."""


class Failure(Enum):
    """What the server does when a plugin raises, answers with the wrong type or runs out of time."""

    OPEN = "open"
    """Carries on as if the plugin were not there."""
    CLOSED = "closed"
    """Answers 503 to whoever asked."""
    STOP = "stop"
    """Does not start."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the guard calls one hook. `answers` are the types an answer may have; `of` that of a sequence's elements."""

    kind: Kind
    failure: Failure
    seconds: float | None
    answers: tuple[type, ...]
    of: type | None = None


def spec(
    kind: Kind,
    *answers: type,
    failure: Failure = Failure.OPEN,
    seconds: float | None = 5.0,
    of: type | None = None,
) -> Callable[[Callable[P, _Answer]], Callable[P, _Answer]]:
    """Declare a hook with its policy. `seconds` is the time limit of one plugin, None for none."""
    policy = Policy(kind, failure, seconds, answers, of)

    def declare(function: Callable[P, _Answer]) -> Callable[P, _Answer]:
        setattr(function, _POLICY, policy)
        return _hookspec(function, firstresult=kind in {Kind.JUDGE, Kind.ASK})

    return declare


def policy_of(function: object) -> Policy | None:
    """The policy of a spec, None for anything that is no spec."""
    policy = getattr(function, _POLICY, None)
    return policy if isinstance(policy, Policy) else None
