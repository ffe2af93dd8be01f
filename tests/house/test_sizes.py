"""The house rules that a machine can check: files and functions stay small, drawers have names."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("core", "plugins") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES = 400, 60
MOST_PUBLIC_METHODS = 16  # 12 is the aim
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc"}


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_a_file_is_small_and_says_why_it_exists(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)) or not text.strip()


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_functions_and_classes_stay_small(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            is_blueprint = node.name.endswith("blueprint")  # only binds views, each of which is measured by itself
            assert is_blueprint or node.end_lineno - node.lineno < MOST_FUNCTION_LINES, f"{node.name} is too long"
        if isinstance(node, ast.ClassDef):
            public = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            methods = [n for n in public if not any("property" in ast.dump(d) for d in n.decorator_list)]
            assert len(methods) <= MOST_PUBLIC_METHODS, f"{node.name} has {len(methods)} public methods"


def test_no_drawer_is_called_utils():
    assert [str(p) for p in SOURCES if p.stem in DRAWERS or p.parent.name in DRAWERS] == []


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_public_functions_have_docstrings(path):
    tree = ast.parse(path.read_text())
    bare = [
        n.name
        for n in tree.body
        if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_") and not ast.get_docstring(n)
    ]
    assert bare == []
