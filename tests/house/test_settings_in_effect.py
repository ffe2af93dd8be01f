"""A setting does something, or the administrator who sets it is told that it does not."""

from __future__ import annotations

import ast
from pathlib import Path

from core.config.model import registry
from core.config.without_effect import WITHOUT_EFFECT

ROOT = Path(__file__).parents[2]
ACCEPTED = "Accepted for compatibility"


def names() -> tuple[set[str], set[str]]:
    """Every name that is read as an attribute, anywhere in the code, and every text outside the declarations."""
    found, texts = set(), set()
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("plugins/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and "config" not in path.parts:
                texts.add(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
                found |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    return found, texts


READ, TEXTS = names()
UNREAD = {
    key
    for key, setting in registry().items()
    if not setting.help.startswith(ACCEPTED)
    and not {setting.section, setting.field} <= READ
    and not (setting.section == "ratelimits" and key in TEXTS)
}


def test_a_setting_that_nothing_reads_is_named_as_such() -> None:
    assert sorted(UNREAD - WITHOUT_EFFECT) == [], "add these to core/config/without_effect.py, or read them"


def test_a_setting_that_is_read_is_not_named_as_without_effect() -> None:
    assert sorted(WITHOUT_EFFECT - UNREAD) == [], "take these out of core/config/without_effect.py"
