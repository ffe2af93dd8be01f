"""The hook reference of the plugin guide, made from the specs so that it cannot fall behind them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Final

from core.hooks.markers import Failure, Kind, Policy, policy_of
from core.hooks.specs import FAMILIES

_KINDS: Final = {
    Kind.JUDGE: "judges; the first verdict wins",
    Kind.ASK: "answers; the first answer wins",
    Kind.TELL: "is told; no answer",
    Kind.CONTRIBUTE: "contributes; all answers are used",
}
_FAILURES: Final = {
    Failure.OPEN: "the server carries on without it",
    Failure.CLOSED: "whoever asked is answered 503",
    Failure.STOP: "the server does not start",
}


def all_hooks() -> dict[str, Callable[..., object]]:
    """Every hook's spec by name, in the order of the reference."""
    return {name: function for family in FAMILIES for name, function, _ in _specs(family)}


def hook_reference() -> str:
    """The page docs/plugins/hooks.md, Markdown."""
    parts = [
        "# Hook reference",
        "Made from `core/hooks/specs/` by `python -m core.hooks.reference`; change the text there. An implementation"
        " may name only the arguments it uses. The [guide](guide.md) explains the rest.",
    ]
    for family in FAMILIES:
        parts += [f"## {family.__name__.rpartition('.')[2].title()}", inspect.getdoc(family) or ""]
        for name, function, policy in _specs(family):
            signature = str(inspect.signature(function)).replace("'", "")
            limit = "none" if policy.seconds is None else f"{policy.seconds:g} s"
            parts += [
                f"### `{name}`",
                f"```python\ndef {name}{signature}\n```",
                inspect.getdoc(function) or "",
                f"A plugin {_KINDS[policy.kind]}. If it fails, {_FAILURES[policy.failure]}. Time limit: {limit}.",
            ]
    return "\n\n".join(parts) + "\n"


def _specs(family: ModuleType) -> list[tuple[str, Callable[..., object], Policy]]:
    found = []
    for name, function in vars(family).items():
        policy = policy_of(function)
        if policy is not None:
            found.append((name, function, policy))
    return found


if __name__ == "__main__":
    print(hook_reference(), end="")
