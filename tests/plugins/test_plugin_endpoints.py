"""Which endpoints plugins may add, and what becomes of their failures."""

import pytest
from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException, ImATeapot

from core.errors import Forbidden, MatrixError
from core.hooks import PluginError, hookimpl
from core.hooks.manager import Contribution, PluginManager
from core.wiring.plugin_endpoints import endpoints_of_plugins


class Empty:
    @hookimpl
    def server_started(self):
        """Nothing."""


@pytest.fixture
def plugins():
    manager = PluginManager()
    manager.register("shop", Empty())
    manager.register("stall", Empty())
    return manager


def blueprint(name, *paths, view=lambda **names: {}):
    made = Blueprint(name, __name__)
    for number, path in enumerate(paths):
        made.add_url_rule(path, f"v{number}", view)
    return made


def check(plugins, *contributed, core=()):
    return endpoints_of_plugins(plugins, [Contribution(*one) for one in contributed], core)


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["/shop"], "The plugin shop serves /shop; paths of plugins begin with /_ or /.well-known/"),
        (["/_synapse/metrics"], "The plugin shop serves /_synapse/metrics; "),
        (["/_a/<user>/b"], "The plugin shop serves GET /_a/<>/b, which the server serves already."),
        (["/_a/<x>/b/"], "The plugin shop serves GET /_a/<>/b, which the server serves already."),
        (["/_broken/<x"], "The blueprint shop cannot be used: "),
    ],
)
def test_a_path_that_is_not_a_plugins_stops_the_start(plugins, paths, sentence):
    with pytest.raises(PluginError) as refused:
        check(plugins, ("shop", blueprint("shop", *paths)), core=[blueprint("core", "/_a/<room>/b")])
    assert str(refused.value).startswith(sentence)


def test_plugins_do_not_share_paths_or_names_of_blueprints(plugins):
    with pytest.raises(PluginError, match="The plugin stall serves GET /_a, which the plugin shop serves already"):
        check(plugins, ("shop", blueprint("one", "/_a")), ("stall", blueprint("two", "/_a")))
    with pytest.raises(PluginError, match="The plugin stall calls a blueprint one, as the plugin shop does"):
        check(plugins, ("shop", blueprint("one", "/_a")), ("stall", blueprint("one", "/_b")))


def test_what_is_no_blueprint_is_named(plugins):
    with pytest.raises(PluginError, match="The plugin shop contributes a str, not a blueprint"):
        check(plugins, ("shop", "/_a"))


def served(plugins, view):
    app = Flask("test")
    app.testing = True
    for made in check(plugins, ("shop", blueprint("shop", "/_a", view=view))):
        app.register_blueprint(made)
    app.register_error_handler(HTTPException, lambda error: (f"refused {error.code}", error.code))
    app.register_error_handler(MatrixError, lambda error: (error.sentence, error.status))
    return app.test_client()


def counted(plugins):
    return [(meter.calls, meter.failures) for meter in plugins.meters() if meter.hook == "endpoint:shop.v0"]


def raising(error):
    def view():
        raise error

    return view


def test_failures_of_an_endpoint_are_counted_and_are_no_strikes(plugins):
    client = served(plugins, raising(ZeroDivisionError()))
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            client.get("/_a")
    assert counted(plugins) == [(5, {"error": 5})]
    assert not any(summary.is_off for summary in plugins.summaries())


def test_refusing_is_no_failure(plugins):
    assert served(plugins, raising(ImATeapot())).get("/_a").text == "refused 418"
    assert served(plugins, raising(Forbidden("Not you."))).get("/_a").status_code == 403
    assert counted(plugins) == [(2, {})]


def test_endpoints_of_a_plugin_that_is_switched_off_answer_503(plugins):
    client = served(plugins, lambda: {})
    for _ in range(3):
        with pytest.raises(Exception, match="The plugin shop failed in job:x"):
            plugins.run("shop", "job:x", 1, raising(ValueError()))
    assert client.get("/_a").status_code == 503
