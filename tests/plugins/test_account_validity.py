"""Accounts that expire, and how they are renewed."""

import re
import sqlite3
from types import SimpleNamespace

import pytest

from core.config.registration import validity
from core.hooks import PluginError, Unavailable
from plugins.account_validity import AccountValidity
from plugins.account_validity.tables import TABLES
from tests.servers.trellis import Refused, Server

ALICE, BOB, DAY = "@alice:x", "@bob:x", 86_400_000


class Tables:
    """The plugin's table, in memory."""

    def __init__(self):
        self._connection = sqlite3.connect(":memory:")
        for migration in TABLES.migrations:
            for statement in migration.for_engine("sqlite"):
                self._connection.execute(statement)

    def read(self, sql, parameters=()):
        """Rows of a SELECT."""
        return self._connection.execute(sql, parameters).fetchall()

    def transaction(self, write):
        """Write at once."""
        write(SimpleNamespace(run=self._connection.execute, rows=self.read))


@pytest.fixture
def world():
    """The plugin at the beginning of time, with a clock, and what it has mailed."""
    mails = []
    api = SimpleNamespace(
        tables=Tables(),
        server=SimpleNamespace(server_name="x", public_baseurl="https://x/"),
        users=SimpleNamespace(threepids=lambda user: [("email", "alice@x"), ("msisdn", "1")] if user == ALICE else []),
        log=SimpleNamespace(warning=lambda *_: None),
        send_mail=mails.append,
    )
    world = SimpleNamespace(api=api, mails=mails, now_ms=0)
    config = {"enabled": True, "period": 30 * DAY, "renew_at": 7 * DAY}
    world.plugin = AccountValidity(config, api, now_ms=lambda: world.now_ms)
    return world


def token(mail):
    return re.search(r"https://x/\S+token=(\S+)", mail.text)[1]


def test_an_account_expires_after_its_period(world):
    world.plugin.user_registered(ALICE)
    for day, answer in ((29, None), (30, True)):
        world.now_ms = day * DAY
        assert world.plugin.is_user_expired(ALICE) is answer


def test_an_account_from_before_has_its_period_from_its_first_use_on(world):
    world.now_ms = 100 * DAY
    assert world.plugin.is_user_expired(BOB) is None
    world.now_ms = 130 * DAY
    assert world.plugin.is_user_expired(BOB) is True


def test_a_link_is_mailed_once_before_the_end_and_renews_once(world):
    world.plugin.user_registered(ALICE)
    world.plugin.user_registered(BOB)
    for day in (22, 23, 24):
        world.now_ms = day * DAY
        world.plugin.send_mails()
    assert [mail.to for mail in world.mails] == ["alice@x"]
    assert "expires on 1970-01-31" in world.mails[0].text
    assert world.plugin.renew_by(token(world.mails[0])) == ALICE
    assert world.plugin.renew_by(token(world.mails[0])) is None
    world.now_ms = 53 * DAY
    assert (world.plugin.is_user_expired(ALICE), world.plugin.is_user_expired(BOB)) == (None, True)


def test_a_mail_that_could_not_be_sent_is_sent_the_next_time(world):
    def fail(mail):
        raise Unavailable("no")

    world.plugin.user_registered(ALICE)
    world.now_ms, world.api.send_mail = 25 * DAY, fail
    world.plugin.send_mails()
    world.api.send_mail = world.mails.append
    world.plugin.send_mails()
    assert len(world.mails) == 1


@pytest.mark.parametrize("config", [{"enabled": True}, {"enabled": True, "period": 0}, {"nonsense": 1}])
def test_settings_that_mean_nothing_are_refused(config):
    with pytest.raises(PluginError):
        AccountValidity(config, SimpleNamespace())


def test_it_does_nothing_unless_it_is_switched_on():
    plugin = AccountValidity({}, SimpleNamespace())
    plugin.user_registered(ALICE)
    assert plugin.is_user_expired(ALICE) is None
    assert plugin.contribute_blueprints() == plugin.contribute_background_jobs() == []


def test_the_configuration_is_read_as_synapse_reads_it():
    assert validity({"enabled": False, "period": "1d"}) == validity({}) == {}
    assert validity({"enabled": True, "period": "1d", "renew_at": "1h", "template_dir": "x"}) == {
        "enabled": True,
        "period": DAY,
        "renew_at": 3_600_000,
    }
    with pytest.raises(ValueError, match="period"):
        validity({"enabled": True})


def test_a_server_shuts_expired_accounts_out_and_an_administrator_says_which_these_are(tmp_path):
    server = Server(tmp_path, account_validity={"enabled": True, "period": "30d"}).start()
    try:
        alice, bob, admin = server.register(), server.register(), server.register(admin=True)

        def expire(user, **fields):
            path = "/_synapse/admin/v1/account_validity/validity"
            return user._session.post(f"{server.base}{path}", json=fields)

        assert expire(admin, user_id=alice.user_id, expiration_ts=1).json() == {"expiration_ts": 1}
        assert expire(bob, user_id=admin.user_id, expiration_ts=1).status_code == 403
        with pytest.raises(Refused) as refused:
            alice.get("/v3/account/whoami")
        assert (refused.value.status, refused.value.errcode) == (403, "M_USER_ACCOUNT_EXPIRED")
        bob.get("/v3/account/whoami")
        page = bob._session.get(f"{server.base}/_matrix/client/unstable/account_validity/renew?token=wrong")
        assert (page.status_code, "not valid" in page.text) == (404, True)
    finally:
        server.stop()
