"""The sample's guestbook and diary: what a plugin adds, and what it is told."""

import argparse
import io
import sqlite3
from types import SimpleNamespace

import pytest
from flask import Flask

from core.errors import MissingToken
from core.hooks import LogKind, LogLine, Mail, MatrixError, Reject, SyncRange
from core.hooks.delivery import event_consumers
from core.hooks.facade import Services
from core.hooks.specs import contributions, observers

ALICE, BOB = "@alice:example.org", "@bob:example.com"


class Tables:
    """The plugin's tables in SQLite."""

    engine = "sqlite"

    def __init__(self, table_sets):
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        for table_set in table_sets:
            for migration in table_set.migrations:
                for statement in migration.for_engine(self.engine):
                    self._connection.execute(statement)

    def close(self):
        self._connection.close()

    def read(self, sql, parameters=()):
        return self._connection.execute(sql, parameters).fetchall()

    def transaction(self, function):
        return function(self)

    def run(self, sql, parameters=()):
        return self._connection.execute(sql, parameters).rowcount


class Server:
    """The services behind the guestbook's facade, which write down what they are asked."""

    def __init__(self):
        self.tick, self.woken, self.edus, self.limited = 0, [], [], []

    def authenticate(self, request, allow_guest=False):
        if "Authorization" not in request.headers:
            raise MissingToken("An access token is needed.")
        return SimpleNamespace(user_id=ALICE)

    def limit(self, who, name, cost=1.0):
        self.limited.append(name)

    def users_sharing(self, user_id):
        return [ALICE, BOB]

    def servers_sharing(self, user_id):
        return ["example.com"]

    def send_edu(self, type, content, servers, key):
        self.edus.append((type, content, servers))

    def advance(self, *, users=(), rooms=()):
        self.tick += 1
        self.woken.append(users)
        return self.tick


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def guestbook(plugins, apis, server):
    """The plugins, with the guestbook's facade wired."""
    tables = Tables(one.item for one in plugins.contributions(contributions.contribute_tables))
    apis["sample_guestbook"].wire(Services(server, tables, server, sync=server, federation=server))
    yield plugins
    tables.close()


@pytest.fixture
def client(guestbook):
    """HTTP to the guestbook's endpoints, with Matrix errors as the server makes them."""
    app = Flask("test")
    for contribution in guestbook.contributions(contributions.contribute_blueprints):
        app.register_blueprint(contribution.item)
    app.register_error_handler(MatrixError, lambda error: (error.body(), error.status))
    return app.test_client()


def only(plugins, hook):
    (item,) = [one.item for one in plugins.contributions(hook) if one.plugin == "sample_guestbook"]
    return item


def range_of(since, until):
    return SyncRange(ALICE, "D", 1, 2, since, until, {})


def test_a_consumer_of_the_log_fills_a_table_that_an_endpoint_reads(guestbook, client, message):
    consumer = only(guestbook, contributions.contribute_consumers)
    for position in (1, 2):
        batch = [LogLine(position, LogKind.EVENT, event=message())]
        guestbook.run("sample_guestbook", "consumer:count", 60, consumer.handle, batch)
    answer = client.get("/_sample/guestbook", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json) == (200, {ALICE: 2})


def test_an_endpoint_of_a_plugin_is_behind_the_servers_gate(client):
    answer = client.get("/_sample/guestbook")
    assert (answer.status_code, answer.json["errcode"]) == (401, "M_MISSING_TOKEN")


def test_a_wave_wakes_the_syncs_of_both_and_leaves_for_the_other_server(guestbook, client, server):
    client.post("/_sample/wave", headers={"Authorization": "Bearer x"})
    section = only(guestbook, contributions.contribute_sync_sections)
    assert section.read(range_of(0, 1)) == {"users": [ALICE]}
    assert section.read(range_of(1, 1)) is None
    assert server.woken == [[ALICE, BOB]]
    assert server.edus == [("org.example.wave", {"user_id": ALICE}, ["example.com"])]
    assert server.limited == ["rc_message"]


def test_an_edu_reaches_the_plugin_which_trusts_no_server_about_anothers_users(guestbook):
    edu, section = (
        only(guestbook, contributions.contribute_edus),
        only(guestbook, contributions.contribute_sync_sections),
    )
    edu.receive("example.com", {"user_id": BOB})
    edu.receive("evil.example", {"user_id": ALICE})
    edu.receive("evil.example", {"user_id": 5})
    assert section.read(range_of(None, 9)) == {"users": [BOB]}


def test_a_job_keeps_the_last_hundred_waves(guestbook):
    edu, job = only(guestbook, contributions.contribute_edus), only(guestbook, contributions.contribute_background_jobs)
    for _ in range(105):
        edu.receive("example.com", {"user_id": BOB})
    guestbook.run("sample_guestbook", "job:forget", job.time_limit_seconds, job.run)
    section = only(guestbook, contributions.contribute_sync_sections)
    assert (job.every_seconds, len(section.read(range_of(None, 999))["users"])) == (60, 100)


def test_a_command_is_added_to_the_command_line(plugins, capsys):
    parser = argparse.ArgumentParser("hsctl")
    plugins.tell(contributions.contribute_commands, subparsers=parser.add_subparsers())
    arguments = parser.parse_args(["sample-hello", "you"])
    assert (arguments.run(arguments), capsys.readouterr().out) == (0, "hello, you\n")


def test_a_stage_of_authentication_asks_and_checks(plugins):
    stage = only(plugins, contributions.contribute_auth_stages)
    assert stage.params() == {"hint": "What do you say?"}
    assert stage.check(None, {"word": "please"}) == {"polite": True}
    assert stage.check(None, {"word": "now"}) == Reject("M_FORBIDDEN", "That is not the magic word.")


def test_mail_is_carried_by_the_plugin(plugins):
    transport = plugins.contribution(contributions.contribute_mail_transport).item
    transport.send(Mail("a@b", "Hello", "text"))
    assert [mail.subject for mail in transport.mails] == ["Hello"]


def test_media_can_be_kept_by_a_plugin(plugins):
    backend = only(plugins, contributions.contribute_storage_backends)
    backend.write("a/b", io.BytesIO(b"x" * 100_000))
    assert (backend.name, backend.size("a/b")) == ("memory", 100_000)
    assert [len(piece) for piece in backend.read("a/b", 10_000)] == [65_536, 24_464]
    assert (backend.delete("a/b"), backend.delete("a/b"), backend.read("a/b"), backend.size("a/b")) == (
        True,
        False,
        None,
        None,
    )


def test_unsigned_fields_are_composed_for_the_reader(plugins, message):
    fields = only(plugins, contributions.contribute_unsigned_fields)
    assert fields.compose(ALICE, [message()]) == {"$e": {"org.example.mine": True}}
    assert fields.compose(BOB, [message()]) == {}


TOLD = [
    (observers.server_started, {}, "started"),
    (observers.server_stopping, {}, "stopping"),
    (
        observers.room_created,
        {"user_id": ALICE, "room_id": "!r", "request": {"name": "Tea"}},
        f"{ALICE} made !r called Tea",
    ),
    (
        observers.profile_updated,
        {"user_id": ALICE, "displayname": "Al", "avatar_url": None, "by_admin": False},
        f"{ALICE} is Al",
    ),
    (
        observers.user_status_changed,
        {"user_id": ALICE, "is_deactivated": True, "is_erased": False, "by_admin": True},
        f"{ALICE} closed",
    ),
    (
        observers.threepid_changed,
        {"user_id": ALICE, "medium": "email", "address": "a@b", "is_bound": True},
        f"{ALICE} has a@b",
    ),
    (
        observers.account_data_updated,
        {"user_id": ALICE, "room_id": None, "type": "m.direct", "content": {}},
        f"{ALICE} set m.direct everywhere",
    ),
    (observers.user_registered, {"user_id": ALICE, "is_guest": False}, f"{ALICE} registered"),
    (
        observers.user_logged_in,
        {"user_id": ALICE, "device_id": "D", "login_type": "m.login.password"},
        f"{ALICE} logged in on D by m.login.password",
    ),
    (
        observers.logged_out,
        {"user_id": ALICE, "device_id": "D", "access_token_hash": "00"},
        f"{ALICE} logged out of D",
    ),
    (
        observers.user_active,
        {"user_id": ALICE, "device_id": "D", "set_presence": "online", "is_acting": False},
        f"{ALICE} active, online",
    ),
    (observers.user_joined, {"user_id": ALICE, "room_id": "!r"}, f"{ALICE} joined !r"),
    (observers.room_gone, {"room_id": "!r", "is_purged": True}, "!r purged"),
    (
        observers.media_stored,
        {"mxc": "mxc://a/b", "user_id": ALICE, "content_type": "x/y", "size_bytes": 5},
        "mxc://a/b of 5",
    ),
    (observers.media_deleted, {"mxc": "mxc://a/b", "by_admin": True}, "mxc://a/b deleted by admin"),
    (
        observers.events_delivered,
        {"server": "example.com", "events": [1, 2], "method": "send"},
        "example.com took 2 by send",
    ),
]


@pytest.fixture
def diary(plugins):
    """The diary's lines; it can be imported once the plugins are loaded."""
    from trellis_sample.diary import LINES

    return LINES


@pytest.mark.parametrize(("hook", "arguments", "line"), TOLD, ids=lambda value: getattr(value, "__name__", ""))
def test_the_diary_is_told_what_happens(plugins, diary, hook, arguments, line):
    plugins.tell(hook, **arguments)
    assert diary == ["hello, example.org", line]


def test_the_diary_reads_the_log(plugins, diary, message, room):
    assert plugins.has(observers.event_persisted)
    (consumer,) = event_consumers(plugins, lambda room_id: room())
    consumer.item.handle([LogLine(1, LogKind.EVENT, event=message()), LogLine(2, LogKind.EVENT, event=None)])
    assert diary[1:] == ["m.room.message in !r:example.org"]
