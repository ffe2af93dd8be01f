"""The accounts part on both engines."""

import pytest

from core.storage.account_data import AccountDataStore
from core.storage.devices import Device, DeviceStore, Sighting
from core.storage.filters import FilterStore
from core.storage.profiles import ProfileStore
from core.storage.registration_tokens import RegistrationToken, RegistrationTokenStore
from core.storage.users import User, UserStore
from tests.servers.accounts import Accounts


@pytest.fixture
def accounts(database_settings, tmp_path):
    accounts = Accounts(tmp_path, database=database_settings)
    yield accounts
    accounts.close()


def test_an_account_signs_in_and_out(accounts):
    accounts.user("alice", displayname="Älice 😀")
    login = accounts.log_in("alice", device_id="PHONE", refresh_token=True).json
    renewed = accounts.request("POST", "/refresh", {"refresh_token": login["refresh_token"]}).json
    who = accounts.request("GET", "/account/whoami", token=renewed["access_token"])
    assert who.json["device_id"] == "PHONE"
    accounts.last_seen.flush()
    assert accounts.request("GET", "/profile/@alice:example.org").json == {"displayname": "Älice 😀"}
    accounts.request("POST", "/logout", token=renewed["access_token"])
    assert accounts.request("GET", "/account/whoami", token=renewed["access_token"]).status_code == 401
    accounts.request("POST", "/logout/all", token=accounts.log_in("alice").json["access_token"])
    nid = accounts.users.find("@alice:example.org").user_nid
    assert accounts.devices.of_user(nid) == []


def test_a_hash_pasted_by_sql_counts_at_the_next_login(accounts):
    accounts.user("alice")
    hashed = accounts.passwords.hash("pasted")
    accounts.writer.submit(
        lambda tx: tx.run(f"UPDATE users SET password_hash = '{hashed}' WHERE user_id = '@alice:example.org'")
    )
    assert accounts.log_in("alice", "pasted").status_code == 200


def test_users_are_read_as_they_were_written(database, writer):
    users = UserStore(database)
    user = User(7, "@a:b", 5, is_admin=True, is_locked=True, user_type="bot", consent_version="1", consent_ms=2)
    writer.submit(lambda tx: users.add(tx, user, "$2b$hash"))
    assert users.find("@a:b") == users.find_by_nid(7) == users.find_many([7, 8])[7] == user
    assert users.find_with_password("@a:b") == (user, "$2b$hash")
    assert users.find("@A:b") is None
    assert users.listed() == [user]
    assert users.count() == 1


def test_an_older_sighting_does_not_replace_a_newer_one(database, writer):
    devices = DeviceStore(database)
    writer.submit(lambda tx: devices.add(tx, Device(1, 7, "D", None, 0)))
    for ms, ip in ((10, "new"), (5, "old")):
        writer.submit(lambda tx, ms=ms, ip=ip: devices.note_sightings(tx, [Sighting(7, "D", ms, ip, "é" * 300)]))
    found = devices.find(7, "D")
    assert (found.last_seen_ms, found.last_seen_ip) == (10, "new")
    assert found.last_seen_user_agent == "é" * 127


def test_the_removal_of_devices_is_told_to_who_keeps_something_of_them(database, writer):
    told = []
    devices = DeviceStore(database, [lambda tx, user, nids: told.append((user, list(nids)))])
    writer.submit(lambda tx: devices.add(tx, Device(1, 7, "D", None, 0)))
    writer.submit(lambda tx: devices.remove(tx, 7, [1]))
    assert told == [(7, [1])]
    assert devices.find(7, "D") is None


def test_a_registration_token_is_spent_once_each(database, writer):
    tokens = RegistrationTokenStore(database)
    writer.submit(lambda tx: tokens.set(tx, RegistrationToken("t", 2, 0, 100, 0)))
    spent = [writer.submit(lambda tx, now=now: tokens.spend(tx, "t", now)) for now in (0, 100, 1, 2)]
    assert spent == [True, False, True, False]
    assert tokens.find("T") is None


def test_account_data_and_profiles_replace_what_was_there(database, writer):
    data, profiles = AccountDataStore(database), ProfileStore(database)
    for content in (b'{"n":1}', b'{"n":2}'):
        writer.submit(lambda tx, content=content: data.set(tx, 7, "a", content))
        writer.submit(lambda tx, content=content: profiles.set(tx, 7, {"org.x": content.decode()}))
    assert data.find(7, "a") == b'{"n":2}'
    assert data.changed(7, 0, 100) == [("a", b'{"n":2}')]
    assert profiles.find_many([7, 8]) == {7: {"org.x": '{"n":2}'}}


def test_only_the_newest_filters_of_a_user_are_kept(database, writer):
    filters = FilterStore(database)
    numbers = [writer.submit(lambda tx, n=n: filters.add(tx, 7, bytes([n]) * 32, b"{}", 2)) for n in (1, 2, 2, 3, 1)]
    assert numbers == [1, 2, 2, 3, 4]
    assert [filters.find(7, n) for n in (1, 2, 3, 4)] == [None, None, b"{}", b"{}"]
