"""A hook ships with a section in the guide, a plugin that uses it, and a test."""

import inspect
import re
from pathlib import Path

import pytest

from core.hooks.loading import load_plugins
from core.hooks.reference import FACADES, all_hooks, api_reference, hook_reference

ROOT = Path(__file__).parents[2]
HOOKS = all_hooks()
TESTS = "".join(
    path.read_text()
    for path in (ROOT / "tests").rglob("test_*.py")
    if path != Path(__file__) and "sample_plugin" not in path.parts
)


def test_the_reference_in_the_docs_is_the_one_made_from_the_specs():
    assert (ROOT / "docs/plugins/hooks.md").read_text() == hook_reference()


def test_the_facades_in_the_docs_are_those_of_the_code():
    assert (ROOT / "docs/plugins/api.md").read_text() == api_reference(), "python -m core.hooks.reference api"


@pytest.mark.parametrize("facade", FACADES)
def test_a_method_of_a_facade_says_what_it_does(facade):
    functions = {name: one for name, one in vars(FACADES[facade]).items() if inspect.isfunction(one)}
    assert [name for name, one in functions.items() if not name.startswith("_") and not inspect.getdoc(one)] == []


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_section_in_the_guide(hook):
    assert f"### `{hook}`" in (ROOT / "docs/plugins/hooks.md").read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_used_by_a_plugin(plugins, hook):
    assert plugins.has(HOOKS[hook])


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_called_in_a_test(hook):
    assert re.search(rf"(?:events|permissions|passwords|limits|observers|contributions)\.{hook}\b", TESTS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_spec_answers_what_its_callers_and_authors_ask(hook):
    text = " ".join((inspect.getdoc(HOOKS[hook]) or "").split())
    for question, words in {
        "since when": r"Since \d+\.\d+\.",
        "what a failure does": r"[Ff]ail|raises",
        "may it block": r"block",
        "who wins": r"first answer wins|order|Order|all are told|do not wait for each other|Only one",
    }.items():
        assert re.search(words, text), f"{hook} does not say {question}"


def test_the_example_in_the_guide_loads_and_judges(tmp_path, monkeypatch, message, room):
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/plugins/guide.md").read_text(), re.DOTALL)
    (tmp_path / "no_shouting.py").write_text(example[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = {"module": "no_shouting.NoShouting", "config": {"most_capitals": 3}}
    plugins = load_plugins(
        [entry], api_for=lambda name: None, installed=[], disabled=["bcrypt_passwords", "filesystem_media"]
    )
    arguments = {"sender": "@a:b", "room": room()}
    verdict = plugins.judge(HOOKS["check_event_for_spam"], event=message("BUY NOW"), **arguments)
    assert verdict.reason == "Please do not shout."
    assert type(plugins.judge(HOOKS["check_event_for_spam"], event=message("Hello"), **arguments)).__name__ == "Allow"
