"""The default password check."""

import bcrypt
import gevent
import pytest
from gevent.event import Event

from core.hooks import PluginBusy, PluginError, PluginUnavailable, Reject
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.specs import observers, passwords
from plugins.bcrypt_passwords import BcryptPasswords, plugin


@pytest.fixture
def make():
    """Makes the plugin from its configuration; stops those it made."""
    made = []

    def make(**config):
        api = LateApi("bcrypt_passwords", ServerFacts("example.org", None))
        made.append(BcryptPasswords(BcryptPasswords.parse_config({"rounds": 4, **config}), api))
        return made[-1]

    yield make
    for one in made:
        one.server_stopping()


def test_a_password_fits_its_hash_and_no_other(make):
    check = make()
    stored = check.hash_password("correct horse")
    assert stored.startswith("$2b$04$")
    assert check.verify_password(stored, "correct horse") is True
    assert check.verify_password(stored, "correct house") is False


def test_the_manager_hashes_and_verifies_through_the_hooks(plugins):
    stored = plugins.ask(passwords.hash_password, password="pw")
    assert plugins.ask(passwords.verify_password, stored_hash=stored, password="pw") is True
    plugins.tell(observers.server_stopping)


def test_the_work_is_as_configured(make):
    assert make(rounds=5).hash_password("pw").startswith("$2b$05$")


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_made_by_other_programs_are_checked(make, prefix):
    stored = prefix + bcrypt.hashpw(b"pw", bcrypt.gensalt(4)).decode()[4:]
    assert make().verify_password(stored, "pw") is True


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=1$x$y", "$2b$04$short", "$2b$99$" + "a" * 53])
def test_a_hash_of_another_kind_is_left_to_other_plugins(make, stored):
    assert make().verify_password(stored, "plain") is None


def test_a_pepper_is_part_of_every_password(make):
    stored = make(pepper="salt mine").hash_password("pw")
    assert bcrypt.checkpw(b"pwsalt mine", stored.encode())
    assert make().verify_password(stored, "pw") is False


def test_a_password_typed_on_another_keyboard_is_the_same(make):
    check = make()
    assert check.verify_password(check.hash_password("e\u0301\ufb01"), "\u00e9fi") is True


@pytest.mark.parametrize("password", ["", "nul\0inside", "\ud800", "\U0001f511" * 18])
def test_any_text_of_up_to_72_bytes_can_be_a_password(make, password):
    check = make()
    assert check.verify_password(check.hash_password(password), password) is True
    assert check.verify_password(check.hash_password("other"), password) is False


def test_a_password_of_which_bcrypt_would_ignore_the_end_is_refused(make):
    assert isinstance(make().hash_password("a" * 72), str)
    refused = Reject("M_INVALID_PARAM", "The password is too long: at most 68 bytes of UTF-8 are allowed.")
    assert make(pepper="salt").hash_password("a" * 69) == refused


def test_an_imported_hash_of_a_longer_password_still_fits(make):
    stored = bcrypt.hashpw(b"a" * 72, bcrypt.gensalt(4)).decode()
    assert make().verify_password(stored, "a" * 100) is True


def test_an_unknown_account_costs_the_same_hashing_and_is_refused(make, monkeypatch):
    salts, check, hashpw = [], make(rounds=6), bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda secret, salt: salts.append(salt) or hashpw(secret, salt))
    assert check.verify_password(None, "pw") is False
    assert [salt[:7] for salt in salts] == [b"$2b$06$"]


def test_hashing_does_not_hold_the_hub(make):
    check, ticks, done = make(rounds=9), [], Event()

    def tick():
        while not done.is_set():
            ticks.append(1)
            gevent.sleep(0.001)

    ticker = gevent.spawn(tick)
    check.hash_password("pw")
    done.set()
    ticker.join()
    assert len(ticks) > 3


def test_who_would_wait_too_long_is_told_to_come_back(make, monkeypatch):
    check = make()
    monkeypatch.setattr(plugin, "LONGEST_WAIT_SECONDS", 0.001)
    with check._turn, pytest.raises(PluginBusy):
        check.hash_password("pw")


def test_a_flood_of_logins_does_not_switch_the_password_check_off(plugins, monkeypatch):
    monkeypatch.setattr(plugin, "LONGEST_WAIT_SECONDS", 0.001)
    (check,) = (i.plugin.target for i in plugins.implementers(passwords.verify_password))
    with check._turn:
        for _ in range(4):
            with pytest.raises(PluginUnavailable):
                plugins.ask(passwords.verify_password, stored_hash=None, password="pw")
    assert plugins.ask(passwords.verify_password, stored_hash=None, password="pw") is False
    plugins.tell(observers.server_stopping)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"rounds": 3}, "rounds is 3; it must be a whole number from 4 to 31"),
        ({"rounds": True}, "rounds is True; "),
        ({"pepper": "x" * 37}, "pepper must be text of up to 36 bytes"),
        ({"peper": "x"}, "peper is no setting of it; allowed are pepper and rounds"),
    ],
)
def test_a_wrong_setting_is_named(config, sentence):
    with pytest.raises(PluginError, match=sentence):
        BcryptPasswords.parse_config(config)
