"""Flask without what a server of ours never does: templates, commands, a server and a client for development.

Flask and Werkzeug import all of that when they are imported: 5 MB, and a tenth of the time that a start takes. So that
it is not read before somebody needs it, its names are, while Flask is imported, stand-ins that import the real thing
when they are called. A plugin that renders templates in its blueprint notices nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

_POSTPONED = ("jinja2", "click", "flask.templating", "flask.cli", "werkzeug.serving", "werkzeug.test")


def import_flask() -> None:
    """Import Flask, unless that has happened, without what it can do later."""
    if "flask" in sys.modules:
        return
    stand_ins = {name: _Postponed(name) for name in _POSTPONED if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        import_module("flask")
    except (ImportError, AttributeError, TypeError):  # a Flask that needs more of them: it gets all, below
        for name in [name for name in sys.modules if name.partition(".")[0] in {"flask", "werkzeug"}]:
            del sys.modules[name]
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
    import_module("flask")


class _Postponed(ModuleType):
    """A module all of whose names fetch the real one of that name and call it."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if (self.__name__, name) == ("flask.cli", "AppGroup"):
            return _Commands
        return partial(_call, self.__name__, name)  # and no function: in a class that would be a method


def _call(module: str, name: str, /, *args: Any, **named: Any) -> Any:
    return getattr(import_module(module), name)(*args, **named)


class _Commands:
    """The commands of an application or a blueprint: none, until somebody asks for more than that."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.commands: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("flask.cli").AppGroup(self.name, commands=self.commands), name)
