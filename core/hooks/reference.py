"""The hook reference of the plugin guide, made from the specs so that it cannot fall behind them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from core.hooks import api
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

FACADES: Final[Mapping[str, type]] = MappingProxyType(
    {
        "api": api.PluginApi,
        "api.gate": api.Gate,
        "api.tables": api.Tables,
        "Transaction": api.Transaction,
        "api.rooms": api.Rooms,
        "RoomView": api.RoomView,
        "api.users": api.Users,
        "api.http": api.Http,
        "api.sync": api.Sync,
        "api.federation": api.Federation,
        "api.media": api.Media,
        "api.work": api.Work,
    }
)
"""What plugins reach, by the name it is reached by."""


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


def api_reference() -> str:
    """The page docs/plugins/api.md, Markdown: what `PluginApi` and its facades offer."""
    parts = [
        "# What plugins can reach",
        "Made from `core/hooks/api.py` by `python -m core.hooks.reference api`; change the text there.",
        inspect.getdoc(api) or "",
    ]
    for name, facade in FACADES.items():
        parts += [f"## `{name}`", inspect.getdoc(facade) or ""]
        for method, function in vars(facade).items():
            if method.startswith("_") or not (isinstance(function, property) or inspect.isfunction(function)):
                continue
            is_property = isinstance(function, property)
            target = function.fget if isinstance(function, property) else function
            signature = str(inspect.signature(target)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")  # type: ignore[arg-type]  # a property of ours has a getter
            shown = f"{method}{signature.removeprefix('()')}" if is_property else f"{method}{signature}"
            parts.append(f"**`{shown}`** {inspect.getdoc(target) or ''}".rstrip())
    return "\n\n".join(parts) + "\n"


def _specs(family: ModuleType) -> list[tuple[str, Callable[..., object], Policy]]:
    found = []
    for name, function in vars(family).items():
        policy = policy_of(function)
        if policy is not None:
            found.append((name, function, policy))
    return found


if __name__ == "__main__":
    print(api_reference() if sys.argv[1:] == ["api"] else hook_reference(), end="")
