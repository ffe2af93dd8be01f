"""`hsctl plugins list`."""

import argparse

import pytest

from core.cli.plugins import add_commands
from core.hooks import PluginError, hookimpl
from core.hooks.guard import GuardSettings
from core.hooks.manager import PluginManager


class Greeter:
    @hookimpl
    def server_started(self):
        """Nothing."""

    @hookimpl
    def check_login(self):
        """Nothing."""


@pytest.fixture
def run():
    """Runs `hsctl plugins list` with the plugins that `load` gives; returns the exit code."""

    def run(load, *arguments):
        parser = argparse.ArgumentParser("hsctl")
        add_commands(parser.add_subparsers(), load)
        arguments = parser.parse_args(["plugins", "list", *arguments])
        return arguments.run(arguments)

    return run


def test_plugins_are_listed_with_their_hooks(run, capsys):
    plugins = PluginManager()
    plugins.register("greeter", Greeter(), source="trellis-greeter 1.2")
    plugins.register("new", Greeter(), GuardSettings(observe_only=True))
    assert run(lambda arguments: plugins) == 0
    assert capsys.readouterr().out.splitlines() == [
        "greeter  [trellis-greeter 1.2]  check_login, server_started",
        "new      check_login, server_started  (only observed)",
    ]


def test_a_plugin_that_cannot_be_loaded_is_named_without_a_traceback(run, capsys):
    def load(arguments):
        raise PluginError("The plugin shop cannot be imported from shop: ModuleNotFoundError: No module named 'shop'.")

    assert run(load) == 2
    assert capsys.readouterr().err.startswith("The plugin shop cannot be imported")


def test_the_plugins_of_the_configuration_are_listed(run, capsys, tmp_path):
    file = tmp_path / "homeserver.yaml"
    file.write_text("server_name: example.org\nbcrypt_rounds: 4\n")
    assert run(None, str(file)) == 0
    assert capsys.readouterr().out.startswith(
        "bcrypt_passwords  [this server]  hash_password, server_stopping, verify_password"
    )


def test_a_plugin_of_the_configuration_that_does_not_exist_is_named(run, capsys, tmp_path):
    file = tmp_path / "homeserver.yaml"
    file.write_text("server_name: example.org\nmodules:\n  - module: no_such.Plugin\n")
    assert run(None, str(file)) == 2
    assert capsys.readouterr().err.startswith("The plugin no_such.Plugin cannot be imported from no_such.Plugin: ")
