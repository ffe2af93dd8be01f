"""A package of somebody else's, installed with pip, in a server that runs."""

import os
import subprocess
import time

import pytest
import requests
import yaml

from tests.plugins.scratch import ROOT
from tests.servers.trellis import Refused, Server

MODULES = [
    {"module": "sample_accounts", "config": {"expired": ["eve"], "trusted": ["trent"]}},
    {"module": "sample_guestbook", "config": {"forget_every_seconds": 1}},
]
CLUMSY = """
from core.hooks import hookimpl


@hookimpl
def user_may_create_room(user_id):
    raise RuntimeError("oh dear")
"""
WITNESS = """
from pathlib import Path
from core.hooks import hookimpl

BOOK = Path(__file__).with_suffix(".book")


@hookimpl
def room_created(user_id, room_id, request):
    with BOOK.open("a") as book:
        print(user_id, room_id, request.get("name"), file=book)
"""
MISSPELT = """
from core.hooks import hookimpl


@hookimpl
def check_event_for_spam_(event):
    return None
"""
SQUATTER = """
from flask import Blueprint
from core.hooks import hookimpl

blueprint = Blueprint("squatter", __name__)
blueprint.get("/_matrix/client/v3/joined_rooms")(lambda: {})


@hookimpl
def contribute_blueprints():
    return [blueprint]
"""
BROKEN = """
from core.hooks import Migration, TableSet, hookimpl


@hookimpl
def contribute_tables():
    return [TableSet("broken", [Migration(1, ["CREATE TABLE broken_a (b INTEGER", "SELECT 1"])])]
"""
SECONDS = 20


def make(folder, python, modules, **plugins):
    """A server that runs in the scratch environment, with modules of these sources to be found."""
    for name, source in plugins.items():
        (folder / f"{name}.py").write_text(source)
    registration = {"enable_registration": True, "registration_requires_stages": ["org.example.word"]}
    settings = registration if MODULES[1] in modules else {}
    server = Server(folder, modules=modules, rc_message={"per_second": 0.01, "burst_count": 20}, **settings)
    server.config["listeners"][0]["resources"][0]["names"].append("metrics")
    server.config_path.write_text(yaml.safe_dump(server.config))
    server.python, server.env = python, {"PYTHONPATH": str(folder)}
    return server


@pytest.fixture(scope="module")
def server(scratch, tmp_path_factory):
    clumsy = {"module": "clumsy", "strikes": 2, "off_seconds": 600}
    server = make(
        tmp_path_factory.mktemp("server"),
        scratch,
        [*MODULES, clumsy, {"module": "witness"}],
        clumsy=CLUMSY,
        witness=WITNESS,
    )
    yield server.start()
    server.stop()


def fetch(server, path, user=None, method="GET"):
    headers = {"Authorization": f"Bearer {user.token}"} if user else {}
    return requests.request(method, server.base + path, headers=headers, timeout=10)


def until(ask, holds):
    """Ask again and again until the answer is right; fails with the last one."""
    deadline = time.monotonic() + SECONDS
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, answer
    return answer


def hsctl(server, *arguments):
    env = {**os.environ, "HS_CONFIG": str(server.config_path), **server.env}
    command = [server.python, "-m", "core.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=60)


def test_an_endpoint_of_a_plugin_has_the_servers_authentication_and_limits(server):
    alice, trent = server.register(), server.register("trent")
    assert fetch(server, "/_sample/guestbook").json()["errcode"] == "M_MISSING_TOKEN"
    assert fetch(server, "/_sample/guestbook", alice).status_code == 200
    answers = [fetch(server, "/_sample/wave", alice, "POST") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert "rc_message" in answers[-1].json()["error"]
    assert {fetch(server, "/_sample/wave", trent, "POST").status_code for _ in range(25)} == {200}


def test_a_spam_check_refuses_an_event_and_its_sentence_reaches_the_user(server):
    alice = server.register()
    with pytest.raises(Refused) as refused:
        alice.send(alice.create_room(), "win the lottery")
    assert (refused.value.status, refused.value.body["error"]) == (403, "Your message looks like spam.")


def test_what_a_consumer_has_counted_in_its_table_outlives_the_server(server):
    alice = server.register()
    room = alice.create_room()
    alice.send(room, "one")
    alice.send(room, "two")

    def count():
        return fetch(server, "/_sample/guestbook", alice).json().get(alice.user_id)

    until(count, lambda messages: messages == 2)
    assert server.stop() == 0
    server.start()
    assert count() == 2
    alice.send(room, "three")
    assert until(count, lambda messages: messages != 2) == 3


def test_a_sync_has_the_section_and_the_fields_of_plugins(server):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    sent = alice.send(room, "hello")
    fetch(server, "/_sample/wave", alice, "POST")
    assert bob.sync(since)["org.example.wave"] == {"users": [alice.user_id]}
    timeline = alice.sync()["rooms"]["join"][room]["timeline"]["events"]
    assert next(event for event in timeline if event["event_id"] == sent)["unsigned"]["org.example.mine"] is True


def test_registration_can_ask_for_the_stage_of_a_plugin(server):
    def register(auth):
        body = {"username": "newcomer", "password": "wonderland", "auth": auth}
        return requests.post(f"{server.base}/_matrix/client/v3/register", json=body, timeout=10)

    asked = register(None)
    assert {flow["stages"][0] for flow in asked.json()["flows"]} == {"org.example.word"}
    assert asked.json()["params"]["org.example.word"] == {"hint": "What do you say?"}
    session = asked.json()["session"]
    assert register({"type": "m.login.dummy", "session": session}).status_code == 401
    refused = register({"type": "org.example.word", "session": session, "word": "now"})
    assert refused.json()["error"] == "That is not the magic word."
    register({"type": "org.example.word", "session": session, "word": "please"})
    assert register({"type": "m.login.dummy", "session": session}).json()["user_id"] == f"@newcomer:{server.name}"


def test_a_job_runs_again_and_again_and_is_counted(server):
    def runs():
        lines = fetch(server, "/metrics").text.splitlines()
        wanted = 'trellis_hook_seconds_count{hook="job:forget",plugin="sample_guestbook"} '
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    until(runs, lambda number: number >= 2)


def test_an_expired_account_is_turned_away(server):
    eve = server.register("eve")
    with pytest.raises(Refused) as refused:
        eve.get("/v3/account/whoami")
    assert refused.value.errcode == "M_USER_ACCOUNT_EXPIRED"


def test_a_plugin_that_keeps_raising_is_switched_off_and_the_server_goes_on(server):
    alice = server.register()
    for _ in range(3):
        alice.create_room()
    assert 'trellis_plugin_off{plugin="clumsy"} 1.0' in fetch(server, "/metrics").text
    log = "".join(path.read_text() for path in server.folder.rglob("*.log"))
    assert "plugin clumsy is switched off for 600 s: it failed 2 times in a row in user_may_create_room" in log
    listed = hsctl(server, "plugins", "list").stdout.splitlines()
    assert [line.endswith("(switched off: it keeps failing)") for line in listed if line.startswith("clumsy")] == [True]
    assert any("[trellis-sample 1.0]" in line for line in listed if line.startswith("sample_guestbook"))


def test_a_plugin_is_told_of_a_room_before_its_creator_is(server):
    alice = server.register()
    room = alice.create_room(name="tea")
    assert f"{alice.user_id} {room} tea" in (server.folder / "witness.book").read_text()


def test_a_command_of_a_plugin_runs_and_is_in_the_help(server):
    done = hsctl(server, "sample-hello", "bob")
    assert (done.returncode, done.stdout) == (0, "hello, bob\n"), done.stderr
    assert "sample-hello" in hsctl(server, "--help").stdout


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            MISSPELT,
            "The plugin wrong implements check_event_for_spam_, which is no hook; the nearest is check_event_for_spam.",
        ),
        (SQUATTER, "The plugin wrong serves GET /_matrix/client/v3/joined_rooms, which the server serves already."),
        (BROKEN, "Migration 1 of the plugin tables broken fails: incomplete input."),
    ],
)
def test_a_plugin_that_cannot_be_used_stops_the_server_with_a_sentence(scratch, tmp_path, source, sentence):
    server = make(tmp_path, scratch, [*MODULES, {"module": "wrong"}], wrong=source)
    with pytest.raises(AssertionError, match="the server did not start"):
        server.start()
    assert sentence in server.output()
    assert "Traceback" not in server.output()
