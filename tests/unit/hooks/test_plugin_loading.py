"""Which plugins are found, and what is said when one cannot be used."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

from core.hooks import PluginError, hookimpl
from core.hooks.api import ServerFacts
from core.hooks.declarations import Job, Migration, TableSet
from core.hooks.facade import LateApi, Services
from core.hooks.loading import FIRST_PARTY, parse_entry


class Polite:
    """Wants `greeting`."""

    def __init__(self, config, api):
        self.config, self.api = config, api

    @staticmethod
    def parse_config(config):
        if "greeting" not in config:
            raise ValueError("greeting is missing; it is any text")
        return dict(config)

    @hookimpl
    def server_started(self):
        """Nothing."""


@pytest.fixture
def shop(monkeypatch):
    """A package `shop` with a module `shop.plugins` to load plugins from."""
    package, module = ModuleType("shop"), ModuleType("shop.plugins")
    package.__path__ = []
    module.Polite = Polite
    module.number = 5
    module.Rude = type("Rude", (), {"__init__": lambda self: None})
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.plugins", module)
    return module


def names(plugins):
    return [summary.name for summary in plugins.summaries()]


def point(name, value):
    return EntryPoint(name, value, "trellis.plugins")


def test_the_servers_own_plugins_are_found_in_a_checkout_that_was_never_installed(load):
    assert names(load()) == sorted(FIRST_PARTY)


def test_a_plugin_that_is_disabled_is_not_loaded(load):
    assert names(load(disabled=["bcrypt_passwords"])) == sorted(FIRST_PARTY.keys() - {"bcrypt_passwords"})


def test_an_installed_plugin_is_on_and_configured_by_its_name(load, shop):
    polite = point("polite", "shop.plugins:Polite")
    plugins = load({"module": "polite", "config": {"greeting": "hello"}}, installed=[polite])
    assert names(plugins) == sorted([*FIRST_PARTY, "polite"])


def test_an_installed_plugin_listed_by_its_path_is_loaded_once(load, shop):
    polite = point("polite", "shop.plugins:Polite")
    plugins = load({"module": "shop.plugins.Polite", "config": {"greeting": "hello"}}, installed=[polite])
    assert names(plugins) == sorted([*FIRST_PARTY, "polite"])


def test_a_class_is_loaded_by_its_dotted_path(load, shop):
    plugins = load({"module": "shop.plugins.Polite", "config": {"greeting": "hello"}})
    assert names(plugins) == sorted([*FIRST_PARTY, "shop.plugins.Polite"])


def test_an_entry_adds_to_the_servers_own_configuration_of_a_plugin(load):
    defaults = {"bcrypt_passwords": {"rounds": 40}}
    load({"module": "bcrypt_passwords", "config": {"rounds": 4}}, defaults=defaults)
    with pytest.raises(PluginError, match="rounds is 40; it must be a whole number from 4 to 31"):
        load(defaults=defaults)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("no_such_shop.plugin", "cannot be imported from no_such_shop.plugin: ModuleNotFoundError: No module named"),
        ("shop.plugins.Missing", "cannot be imported from shop.plugins.Missing: AttributeError: module 'shop.plugins'"),
        ("shop.plugins.number", "is of type int; it must be a class or a module"),
        ("shop.plugins.Polite", "does not accept its configuration: greeting is missing; it is any text."),
        ("shop.plugins.Rude", "cannot be set up: TypeError: "),
        ("shop.plugins", "implements no hook"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_with_the_cause(load, shop, module, sentence):
    with pytest.raises(PluginError) as caught:
        load({"module": module})
    assert str(caught.value).startswith(f"The plugin {module} {sentence}")
    assert "\n" not in str(caught.value)


def test_a_plugin_listed_twice_is_refused(load, shop):
    entry = {"module": "shop.plugins.Polite", "config": {"greeting": "hello"}}
    with pytest.raises(PluginError, match=r"The plugin shop\.plugins\.Polite is listed twice"):
        load(entry, entry)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("shop", "Each entry of modules needs a key module with the name of a plugin; found 'shop'."),
        ({"config": {}}, "Each entry of modules needs a key module"),
        ({"module": "shop", "configs": {}}, "has a key configs; allowed are module, config, observe_only, "),
        ({"module": "shop", "config": [1]}, r"config is \[1\]; it must be a mapping."),
        ({"module": "shop", "observe_only": "yes"}, "observe_only is 'yes'; it must be true or false."),
        ({"module": "shop", "strikes": 0}, "strikes is 0; it must be a whole number of at least 1."),
        ({"module": "shop", "off_seconds": True}, "off_seconds is True; it must be a number of seconds above 0."),
        ({"module": "shop", "time_limits": {"check_login": -1}}, "must be a mapping of hook names to seconds above 0."),
    ],
)
def test_an_entry_of_the_configuration_is_checked(raw, sentence):
    with pytest.raises(PluginError, match=sentence):
        parse_entry(raw)


def test_an_entry_may_be_an_object():
    entry = parse_entry(SimpleNamespace(module="shop", config={"a": 1}))
    assert (entry.module, entry.config) == ("shop", {"a": 1})


def test_an_entry_may_say_how_patient_the_server_is(load, shop):
    entry = parse_entry({"module": "shop", "config": None, "observe_only": True, "strikes": 5, "off_seconds": 1.5})
    assert (entry.settings.observe_only, entry.settings.strikes, entry.settings.off_seconds) == (True, 5, 1.5)


def test_a_facade_says_when_it_is_used_too_early_and_works_once_wired():
    api = LateApi("eager", ServerFacts("example.org", None))
    with pytest.raises(PluginError, match=r"The plugin eager used api\.rooms before server_started"):
        _ = api.rooms
    api.wire(Services(rooms="the rooms"))
    assert api.rooms == "the rooms"
    with pytest.raises(PluginError, match=r"used api\.media, which this server does not have"):
        _ = api.media


def test_tables_that_are_not_named_after_their_set_are_refused():
    with pytest.raises(PluginError, match=r"Table set shop creates users; its tables begin with shop_\."):
        TableSet("shop", [Migration(1, ["CREATE TABLE IF NOT EXISTS users (id INT)"])])
    with pytest.raises(PluginError, match="creates users"):
        TableSet("shop", [Migration(1, sqlite=["create virtual table users using fts5(body)"])])


def test_migrations_are_numbered_without_gaps():
    with pytest.raises(PluginError, match=r"numbered \[1, 3\]"):
        TableSet("shop", [Migration(1), Migration(3)])


def test_a_migration_gives_each_engine_its_own_statements():
    migration = Migration(1, ["a"], sqlite=["b"], mysql=["c"])
    assert (migration.for_engine("sqlite"), migration.for_engine("mysql")) == (("a", "b"), ("a", "c"))


@pytest.mark.parametrize("name", ["", "Tidy", "1st", "a-b", "a" * 41])
def test_a_job_has_a_name_that_fits_a_database_row(name):
    with pytest.raises(PluginError, match="A job may not be called"):
        Job(name, 60, print)
