"""Every declared setting is read somewhere: a key that is accepted and does nothing would mislead whoever sets it."""

import ast
from pathlib import Path

import pytest

from core.config.model import registry

ROOT = Path(__file__).parents[2]
WITHOUT_EFFECT = ROOT / "tests/house/settings_without_effect.txt"


def _names_used() -> set[str]:
    """Every attribute that is read and every string in the code; in core/config only what properties read."""
    found: set[str] = set()
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("plugins/**/*.py"), ROOT / "gunicorn.conf.py"]:
        is_declaring = path.is_relative_to(ROOT / "core/config")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_declaring:
                found.add(node.value)
    return found


USED = _names_used()
SETTINGS = registry()
LISTED = [line for line in WITHOUT_EFFECT.read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_a_setting_is_read_or_listed_as_without_effect(key):
    is_read = SETTINGS[key].field in USED or key in USED
    assert is_read != (key in LISTED), "read it, or list it in settings_without_effect.txt; take it off once it is read"


def test_the_list_names_settings_only():
    assert set(LISTED) <= set(SETTINGS)
    assert sorted(LISTED) == LISTED
