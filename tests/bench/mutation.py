"""Mutation testing of the pure rules.

`python -m tests.bench.mutation core/events/auth_rules/*.py -- tests/unit/events/test_auth*.py`: every mutant changes
one comparison, connective, number, string or condition of a module; a test that fails kills it. What survives is
printed with its line, since it is either a missing test or code that does nothing. A mutant lives in a forked process
only, so no file is touched. With `--every N` only each Nth mutant is tried.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import canonicaljson  # noqa: F401  # loaded once, before the forks
import nacl.signing  # noqa: F401
import orjson  # noqa: F401
import pytest

MOST_SECONDS = 20

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """Every mutant of a module, with the line and a word for the change."""
    skipped = _not_worth_it(tree)
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for what in range(_changes(node)):
            mutated = copy.deepcopy(tree)
            twin = next(n for index, n in enumerate(ast.walk(mutated)) if index == number)
            yield getattr(node, "lineno", 0), _change(twin, what), mutated


def _not_worth_it(tree: ast.Module) -> set[int]:
    """Docstrings, annotations and the sentences of errors, whose wording no test should pin."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node)
        if isinstance(node, (ast.FunctionDef, ast.AnnAssign, ast.arg)):
            parts += [getattr(node, "returns", None), getattr(node, "annotation", None)]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            parts.append(node)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            parts.append(node.exc.args[-1])
        for part in parts:
            skipped.update(id(inner) for inner in (ast.walk(part) if part is not None else ()))
    return skipped


def _changes(node: ast.AST) -> int:
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.Constant):
        return 1 if isinstance(node.value, (bool, int, str)) else 0
    return 1 if isinstance(node, (ast.BoolOp, ast.UnaryOp, ast.If, ast.IfExp, ast.BinOp)) else 0


def _change(node: Any, what: int) -> str:
    if isinstance(node, ast.Compare):
        old = node.ops[what]
        node.ops[what] = _COMPARISONS[type(old)]()
        return f"{type(old).__name__} -> {type(node.ops[what]).__name__}"
    if isinstance(node, ast.Constant):
        old_value = node.value
        if isinstance(old_value, bool):
            node.value = not old_value
        else:
            node.value = old_value + 1 if isinstance(old_value, int) else str(old_value) + "~"
        return f"{old_value!r} -> {node.value!r}"
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and <-> or"
    if isinstance(node, ast.UnaryOp):
        node.op = ast.Not() if not isinstance(node.op, ast.Not) else ast.UAdd()
        return "not or sign"
    if isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return "+ <-> -"
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return "condition negated"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module mutated code."""

    def __init__(self, name: str, tree: ast.Module, path: Path) -> None:
        self._name, self._tree, self._path = name, tree, path

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(ast.fix_missing_locations(self._tree), str(self._path), "exec"), module.__dict__)


def is_killed(path: Path, tree: ast.Module, tests: Sequence[str]) -> bool:
    """Whether a test fails, or never ends, where the module at `path` is `tree`."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.meta_path.insert(0, _Finder(".".join(path.with_suffix("").parts), tree, path))
        os._exit(
            int(
                pytest.main(
                    ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", "-o", f"timeout={MOST_SECONDS}", *tests]
                )
            )
        )
    return os.waitpid(child, 0)[1] != 0


def main() -> None:
    """Try the mutants and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("modules", nargs="+", type=Path)
    split = sys.argv.index("--", 1)
    parsed, tests = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    tried = killed = 0
    for path in parsed.modules:
        all_mutants = list(mutants(ast.parse(path.read_text(encoding="utf-8"))))
        for line, change, tree in all_mutants[:: parsed.every]:
            tried += 1
            if is_killed(path, tree, tests):
                killed += 1
            else:
                print(f"{path}:{line}: {change} survives", flush=True)
    print(f"{killed} of {tried} mutants killed, {100 * killed / max(tried, 1):.1f} %")


if __name__ == "__main__":
    main()
