"""Device lists in sync: `changed` and `left` are exactly what sharing rooms and changing keys make of them."""

import pytest

from core.graph.drafts import Draft
from core.storage.log import Kind
from tests.servers.device_keys import Identity
from tests.unit.encryption.model import Town


@pytest.fixture
def town(server):
    return Town(server, 0)


def member(town, room, user, membership="join"):
    town._send(room, Draft("m.room.member", user, {"membership": membership}, user))
    (town.members[room].add if membership == "join" else town.members[room].discard)(user)


@pytest.mark.parametrize("seed", range(4))
def test_each_sync_says_what_the_model_says(server, seed):
    town = Town(server, seed)
    then = dict.fromkeys(town.users, town.snapshots[0])
    for number in range(60):
        done = town.step()
        now = town.snap()
        for user in town.users:
            if town.random.random() < 0.5:
                assert town.told(user, then[user], now) == town.expected(user, then[user], now), (number, done, user)
                then[user] = now
    for user in town.users:
        assert town.told(user, then[user], town.snapshots[-1]) == town.expected(user, then[user], town.snapshots[-1])


@pytest.mark.parametrize("seed", range(4, 7))
def test_a_sync_from_any_earlier_token_says_what_the_model_says(server, seed):
    town = Town(server, seed)
    for _ in range(40):
        town.step()
        town.snap()
    town.restart()
    for then in town.snapshots:
        for user in town.users:
            assert town.told(user, then, town.snapshots[-1]) == town.expected(user, then, town.snapshots[-1])


def test_what_happened_after_the_window_does_not_show_in_it(server):
    town = Town(server, 8)
    for _ in range(40):
        town.step()
        town.snap()
    for then, now in zip(town.snapshots, town.snapshots[3:], strict=False):
        for user in town.users:
            changed, left = town.told(user, then, now)
            all_changed, all_left = town.expected(user, then, now)
            assert left == all_left
            newly = [other for other in now.sharing[user] if other not in then.sharing[user]]
            assert set(newly) <= set(changed) <= set(all_changed)


def test_long_windows_are_answered_alike(server, monkeypatch):
    monkeypatch.setattr("core.storage.device_lists.SCANNED_POSITIONS", 3)
    test_a_sync_from_any_earlier_token_says_what_the_model_says(server, 9)


def test_without_any_change_the_database_is_not_asked(town):
    now = town.snap()
    town.server.lists._store = None
    assert town.told(town.users[0], now, now) == ([], [])


def test_both_hear_of_each_other_when_one_joins(town):
    alice, bob, _ = town.users
    member(town, town.rooms[0], alice)
    then = town.snap()
    member(town, town.rooms[0], bob)
    now = town.snap()
    assert town.told(alice, then, now) == ([bob], [])
    assert town.told(bob, then, now) == (sorted([alice, town.owner.user_id]), [])


def test_only_the_last_shared_room_counts(town):
    alice, bob, _ = town.users
    for room in town.rooms[:2]:
        for user in (alice, bob):
            member(town, room, user)
    then = town.snap()
    member(town, town.rooms[0], bob, "leave")
    assert town.told(alice, then, town.snap()) == ([], [])
    member(town, town.rooms[1], bob, "leave")
    assert town.told(alice, then, town.snap()) == ([], [bob])


def test_who_left_and_came_back_within_the_window_is_no_news(town):
    alice, bob, _ = town.users
    for user in (alice, bob):
        member(town, town.rooms[0], user)
    then = town.snap()
    member(town, town.rooms[0], bob, "leave")
    member(town, town.rooms[0], bob)
    assert town.told(alice, then, town.snap()) == ([], [])


def test_an_upload_is_told_to_the_own_devices_and_to_those_who_share_a_room(town):
    alice, bob, carol = town.users
    for user in (alice, bob):
        member(town, town.rooms[0], user)
    then = town.snap()
    town.devices[alice][0].another().upload()
    now = town.snap()
    assert [town.told(user, then, now)[0] for user in (alice, bob, carol)] == [[alice], [alice], []]


def test_a_signature_on_anothers_key_is_told_to_the_signer_alone(town):
    alice, bob, carol = town.users
    for user in town.users:
        member(town, town.rooms[0], user)
    identities = {user: Identity(user) for user in (alice, bob)}
    for user, identity in identities.items():
        town.devices[user][0].ask("POST", "/keys/device_signing/upload", identity.body())
    then = town.snap()
    signer, other = identities[alice], identities[bob]
    signed = signer.user_signing.sign(other.key("master"), alice, signer.user_signing.public)
    town.devices[alice][0].ask("POST", "/keys/signatures/upload", {bob: {other.master.public: signed}})
    now = town.snap()
    assert [town.told(user, then, now)[0] for user in (alice, bob, carol)] == [[bob], [], []]


def test_where_the_log_no_longer_reaches_back_everybody_is_to_be_looked_at(town):
    alice, bob, _ = town.users
    then = town.snap()
    for user in (alice, bob):
        member(town, town.rooms[0], user)
    town.server.writer.submit(
        lambda transaction: transaction.run(
            "UPDATE sequences SET value = ? WHERE name = 'log_horizon'", (then.position + 1,)
        )
    )
    town.restart()
    assert town.told(alice, then, town.snap()) == (sorted([alice, bob, town.owner.user_id]), [])


def test_keys_changes_answers_as_sync_does(town):
    alice, bob, _ = town.users
    then = town.snap()
    for user in (alice, bob):
        member(town, town.rooms[0], user)
    now = town.snap()
    path = f"/keys/changes?from=s{then.position}&to=s{now.position}"
    answer = town.devices[alice][0].ask("GET", path)
    assert answer == {"changed": sorted([bob, town.owner.user_id]), "left": []}


def test_a_list_keeps_one_line_in_the_log(town):
    device = town.devices[town.users[0]][0]
    for n in range(3):
        device.ask("PUT", f"/devices/{device.device_id}", {"display_name": str(n)})
    nid = town.server.interner.nid(device.user_id)
    count = "SELECT COUNT(*) FROM log WHERE kind = ? AND subject = ?"
    assert town.server.database.value(count, (int(Kind.DEVICE_LIST), nid)) == 1
