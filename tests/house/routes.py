"""The routes that the source declares, and the operations that the specification wants.

Routes are read from the syntax of the blueprints, not from a running server, so that this needs no database and no
configuration: decorators and `add_url_rule` with literal paths, module constants, f-strings of them, loops over them.
`endpoints.tsv` lists the operations a homeserver serves, from the OpenAPI files of the Matrix specification
(Apache-2.0, The Matrix.org Foundation).
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).parent
ROOT = HOUSE.parent.parent
SOURCES = ("core/api", "plugins")
NOT_YET_SERVED = HOUSE / "not_yet_served.txt"
_VERBS = frozenset({"get", "post", "put", "delete", "patch"})
_PARAMETER = re.compile(r"<[^>]*>|\{[^}]*\}")
Names = dict[str, list[str]]


class Operation(NamedTuple):
    """One line of the specification's list."""

    api: str
    method: str
    path: str
    name: str
    area: str

    @property
    def route(self) -> tuple[str, str]:
        """What it is compared by: the method, and the path without the parameters' names."""
        return self.method, shape(self.path)


def shape(path: str) -> str:
    """A path without the names of its parameters and without a slash at its end."""
    return _PARAMETER.sub("{}", path).rstrip("/")


def specified_operations() -> list[Operation]:
    """Every client-server and server-server operation of the specification."""
    lines = (HOUSE / "endpoints.tsv").read_text().splitlines()[1:]
    return [Operation(*line.split("\t")) for line in lines]


def listed_as_missing() -> list[tuple[str, str]]:
    """The operations that `not_yet_served.txt` admits to lack, as routes."""
    lines = [line.split() for line in NOT_YET_SERVED.read_text().splitlines() if line.strip() and line[0] != "#"]
    return [(method, shape(path)) for method, path in lines]


def declared_routes() -> set[tuple[str, str]]:
    """Every (method, path shape) that a blueprint in the source declares."""
    files = itertools.chain.from_iterable((ROOT / source).rglob("*.py") for source in SOURCES)
    return {route for file in files for route in routes_of(file.read_text())}


def routes_of(source: str) -> Iterator[tuple[str, str]]:
    """The routes that one module declares."""
    tree = ast.parse(source)
    names = _string_names(tree)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not call.args:
            continue
        called = call.func.attr
        if called in _VERBS:
            methods = [called.upper()]
        elif called in {"route", "add_url_rule"}:
            methods = _methods(call, names)
        else:
            continue
        paths = [path for path in _strings(call.args[0], names) if path.startswith("/")]
        yield from ((method, shape(path)) for method in methods for path in paths)


def _methods(call: ast.Call, names: Names) -> list[str]:
    for keyword in call.keywords:
        if keyword.arg == "methods":
            return _strings(keyword.value, names)
    return ["GET"]


def _string_names(tree: ast.AST) -> Names:
    """The strings that each name of the module may stand for, from assignments and loops."""
    names: Names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        elif isinstance(node, ast.For):
            targets, value = [node.target], node.iter
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                names.setdefault(target.id, []).extend(_strings(value, names))
    return names


def _strings(node: ast.expr, names: Names) -> list[str]:
    """Every string that an expression may be; none where it is no expression of strings."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name):
        return names.get(node.id, [])
    if isinstance(node, ast.FormattedValue):
        return _strings(node.value, names)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return [string for item in node.elts for string in _strings(item, names)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*(_strings(value, names) for value in node.values))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [a + b for a, b in itertools.product(_strings(node.left, names), _strings(node.right, names))]
    return []
