"""What plugins reach and follow in a built server, on both engines."""

import time

import gevent
import pytest

from core.app import build
from core.config.first_start import prepare
from core.config.loader import config_from
from core.errors import Forbidden, MatrixError, NotFound, Unavailable
from core.hooks import LogKind, Mail, Profile
from core.hooks.specs import observers
from core.ids import Requester
from core.storage import consumers
from tests.servers.trellis import base_config
from tests.unit.sync.world import World

SECONDS = 10


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def app(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    config = {**base_config(folder, 8448), "modules": [{"module": "tests.plugins.probe.Probe", "strikes": 100}]}
    if request.param == "sqlite":
        yield from running(config)
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
        config["database"] = {"name": "mariadb", "args": {**args, "password": settings.password}}
        yield from running(config)


def running(config):
    app = build(prepare(config_from(config, None, {})))
    app.start()
    yield app
    app.stop_waiting()
    app.close()


@pytest.fixture
def probe(app):
    (implementation,) = app.ground.plugins.implementers(observers.room_gone)
    return implementation.plugin.target


@pytest.fixture
def api(probe):
    return probe.api


@pytest.fixture
def world(app):
    return World(app)


@pytest.fixture
def user(app, api):
    """Makes accounts."""
    numbers = iter(range(1_000_000))

    def make():
        user_id = api.users.create(f"p{time.time_ns()}x{next(numbers)}")
        return Requester(user_id, app.rooms.graph.texts.nid(user_id), None, 1)

    return make


def until(ask):
    deadline = time.monotonic() + SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline
        gevent.sleep(0)
    return answer


def of_kind(probe, kind, **fields):
    lines = [line for batch in probe.lines for line in batch if line.kind is kind]
    return [line for line in lines if all(getattr(line, name) == value for name, value in fields.items())]


def test_a_text_of_digits_in_a_plugins_table_stays_a_text(api):
    add = "INSERT INTO probe_notes VALUES (?, ?)"
    assert api.tables.transaction(lambda transaction: transaction.run(add, ["0123", 7])) == 1
    assert api.tables.read("SELECT number FROM probe_notes WHERE name = ?", ["0123"]) == [(7,)]
    assert api.tables.read("SELECT name FROM probe_notes WHERE number = 7") == [("0123",)]


def test_a_transaction_that_raises_writes_nothing_and_says_so(api):
    def fail(transaction):
        transaction.run("INSERT INTO probe_notes VALUES (?, ?)", ("lost", 1))
        raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        api.tables.transaction(fail)
    assert api.tables.read("SELECT 1 FROM probe_notes WHERE name = ?", ("lost",)) == []


def test_a_plugin_makes_an_account_and_sets_its_profile(api, user):
    requester = user()
    assert api.users.exists(requester.user_id)
    assert not api.users.is_admin(requester.user_id)
    api.users.set_profile(requester.user_id, displayname="Anna")
    assert api.users.profile(requester.user_id) == Profile("Anna", None, {})
    with pytest.raises(MatrixError) as taken:
        api.users.create(requester.user_id[1:].partition(":")[0])
    assert taken.value.errcode == "M_USER_IN_USE"


def test_what_is_asked_of_nobody_is_not_found(api):
    assert api.users.profile("@nobody:localhost:8448") is api.users.profile("@far:away.test") is None
    for ask in (api.users.threepids, lambda user: api.users.account_data(user, "a"), api.users.set_profile):
        with pytest.raises(NotFound):
            ask("@nobody:localhost:8448")


def test_account_data_that_a_plugin_sets_is_read_and_told(api, user, probe):
    requester = user()
    assert api.users.account_data(requester.user_id, "org.example.a") is None
    api.users.set_account_data(requester.user_id, "org.example.a", {"b": 1})
    assert api.users.account_data(requester.user_id, "org.example.a") == {"b": 1}
    until(lambda: of_kind(probe, LogKind.ACCOUNT_DATA, user_id=requester.user_id))


def test_a_follower_gets_events_and_changes_of_state_in_batches(world, user, probe):
    anna, ben = user(), user()
    room = world.room(anna, ben)
    said = world.say(room, ben, "hello")
    event = until(lambda: of_kind(probe, LogKind.EVENT, event=said.event))[0]
    assert (event.room_id, event.event.content["body"]) == (said.room_id, "hello")
    changes = [change for line in of_kind(probe, LogKind.STATE, room_id=said.room_id) for change in line.changes]
    joined = next(change for change in changes if change.key == ("m.room.member", ben.user_id))
    assert joined.old is None
    assert joined.new == world.graph.states.current(room).get(*joined.key).event_id
    assert max(len(batch) for batch in probe.lines) == 3


def test_a_batch_that_fails_comes_again_and_nothing_is_lost(world, user, probe, monkeypatch):
    monkeypatch.setattr(consumers, "FIRST_RETRY_SECONDS", 0.01)
    anna = user()
    room = world.room(anna)
    probe.failures = 2
    sent = [world.say(room, anna, f"{number}").event_id for number in range(7)]

    def came():
        events = [line.event.event_id for line in of_kind(probe, LogKind.EVENT)]
        return [event_id for event_id in events if event_id in sent]

    until(lambda: came()[-1:] == sent[-1:])
    assert came() == sent


def test_a_follower_that_missed_changes_is_given_every_rooms_state(app, world, user, probe):
    room = world.graph.rooms.name(world.room(user())).room_id
    runner = next(one for one in app.plugins.consumers if one.consumer.name == "plugin:tests.plugins.probe.Probe:all")
    until(lambda: of_kind(probe, LogKind.STATE, room_id=room))
    probe.lines.clear()
    runner.consumer.resynchronise(app.ground.storage.tail.position)
    (line,) = of_kind(probe, LogKind.STATE, room_id=room)
    assert ("m.room.create", "") in {change.key for change in line.changes if change.old is None}


def test_a_room_that_all_of_ours_have_left_is_told_once(world, user, probe):
    anna, ben = user(), user()
    room = world.room(anna, ben)
    room_id = world.graph.rooms.name(room).room_id
    for who in (anna, ben):
        world.send(room, who, "m.room.member", {"membership": "leave"}, who.user_id)
    until(lambda: probe.gone)
    assert probe.gone.count((room_id, False)) == 1


def test_an_address_is_bound_to_one_account(api, user):
    anna, ben = user(), user()
    address = f"{anna.user_nid}@mail.test"
    api.users.add_threepid(anna.user_id, "email", address)
    assert list(api.users.threepids(anna.user_id)) == [("email", address)]
    with pytest.raises(MatrixError) as taken:
        api.users.add_threepid(ben.user_id, "email", address)
    assert taken.value.errcode == "M_THREEPID_IN_USE"


def test_what_a_server_lacks_is_unavailable(api):
    with pytest.raises(Unavailable, match="sends no mail"):
        api.send_mail(Mail("a@b.test", "Hello", "Hello."))


def test_the_door_is_open_to_plugins_and_not_to_closed_addresses(api):
    with pytest.raises(Forbidden):
        api.http.request("GET", "http://127.0.0.1:9/")


def test_a_plugin_sends_for_local_users_alone(api, world, user):
    anna, ben = user(), user()
    room_id = world.graph.rooms.name(world.room(anna)).room_id
    event_id = api.rooms.send(anna.user_id, room_id, "m.room.message", {"body": "hi", "msgtype": "m.text"})
    assert api.rooms.visible_events(anna.user_id, [event_id])[event_id]["content"]["body"] == "hi"
    api.rooms.send(ben.user_id, room_id, "m.room.member", {"membership": "join"}, ben.user_id)
    assert ben.user_id in api.rooms.find(room_id).members()
    with pytest.raises(Forbidden, match="a user of another server"):
        api.rooms.send("@far:away.test", room_id, "m.room.message", {"body": "hi"})
