"""`hsctl user` and `hsctl hash-password`, run as an administrator runs them."""

import io
import json

import bcrypt
import gevent
import pytest

from core.cli.__main__ import main
from core.control.client import NotRunning, ask
from core.control.commands import run_command
from core.control.server import ControlServer
from core.errors import BadRequest
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.owning import FileLease
from core.storage.users import UserStore
from tests.servers.accounts import Accounts


@pytest.fixture
def hsctl(tmp_path, monkeypatch, capsys):
    config = tmp_path / "homeserver.yaml"
    config.write_text(
        f"server_name: example.org\ndata_dir: {tmp_path}\nbcrypt_rounds: 4\npassword_config: {{pepper: salt}}\n"
    )
    monkeypatch.setenv("HS_CONFIG", str(config))

    def run(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_an_account_is_made_listed_and_shown(hsctl):
    assert hsctl("user", "create", "Alice", "--admin", stdin="secret\n")[:2] == (
        0,
        "@alice:example.org is made, an administrator.\n",
    )
    assert "@alice:example.org" in hsctl("user", "list")[1]
    shown = json.loads(hsctl("user", "show", "alice")[1])
    assert (shown["standing"], shown["profile"]) == (["administrator"], {"displayname": "alice"})


def test_what_cannot_be_done_is_a_sentence(hsctl):
    hsctl("user", "create", "alice", "-p", "secret")
    assert hsctl("user", "create", "alice", "-p", "secret")[::2] == (2, "This user name is taken.\n")
    assert hsctl("user", "show", "bob")[2] == "There is no account @bob:example.org.\n"
    assert "digits" in hsctl("user", "create", "123", "-p", "x")[2]


def test_an_account_is_promoted_and_ended(hsctl, tmp_path):
    hsctl("user", "create", "alice", "-p", "secret")
    assert "administrator" in hsctl("user", "promote", "alice")[1]
    assert "ordinary" in hsctl("user", "promote", "alice", "--revoke")[1]
    hsctl("user", "reset-password", "@alice:example.org", "-p", "other")
    assert hsctl("user", "deactivate", "alice")[0] == 0
    assert hsctl("user", "list")[1] == ""
    assert "deactivated" in hsctl("user", "list", "--deactivated")[1]
    assert hsctl("user", "reset-password", "alice", "-p", "x")[0] == 2


def test_a_new_password_is_hashed_with_pepper_and_cost(hsctl, tmp_path):
    code, out, _ = hsctl("hash-password", stdin="secret\n")
    assert code == 0
    assert out.startswith("$2b$04$")
    assert bcrypt.checkpw(b"secretsalt", out.strip().encode())
    hsctl("user", "create", "alice", "-p", "secret")
    database = Database(SqliteSettings(tmp_path / "homeserver.db"))
    stored = UserStore(database).find_with_password("@alice:example.org")[1]
    database.close()
    assert bcrypt.checkpw(b"secretsalt", stored.encode())


@pytest.fixture
def running(hsctl, tmp_path):
    """A server's end of the socket, over the database that `hsctl` would open."""
    accounts = Accounts(tmp_path, database=SqliteSettings(tmp_path / "homeserver.db", "NORMAL"))
    lease = FileLease(tmp_path / "homeserver.db")
    lease.take(1)
    commands = {"ping": lambda: "pong", **accounts.user_commands.commands()}
    control = ControlServer(tmp_path / "hsctl.sock", commands)
    control.start()
    yield accounts
    control.stop()
    lease.release()
    accounts.close()


def elsewhere(hsctl, *arguments):
    """Run `hsctl` on a thread of the hub's, so that the server's greenlets run meanwhile."""
    return gevent.get_hub().threadpool.apply(hsctl, arguments)


def test_a_running_server_does_what_hsctl_asks_and_says_the_same(running, hsctl):
    assert elsewhere(hsctl, "user", "create", "alice", "-p", "secret")[1] == "@alice:example.org is made.\n"
    assert elsewhere(hsctl, "user", "create", "alice", "-p", "s")[2] == "This user name is taken.\n"
    assert running.log_in("alice").status_code == 200
    assert "@alice:example.org" in elsewhere(hsctl, "user", "list")[1]
    shown = json.loads(elsewhere(hsctl, "user", "show", "alice")[1])
    assert shown["profile"] == {"displayname": "alice"}
    assert "suspended" in elsewhere(hsctl, "user", "suspend", "alice")[1]
    assert elsewhere(hsctl, "user", "deactivate", "alice")[0] == 0
    assert running.log_in("alice").status_code == 403


def test_the_socket_is_for_the_servers_own_user_and_goes_with_the_server(running, tmp_path):
    assert (tmp_path / "hsctl.sock").stat().st_mode & 0o777 == 0o600


def test_a_command_the_server_does_not_know_is_a_sentence(running):
    with pytest.raises(BadRequest, match="does not know the command user fly"):
        run_command({}, "user fly", {})
    with pytest.raises(BadRequest, match="does not take these arguments"):
        run_command(running.user_commands.commands(), "user lock", {"who": "alice"})


def test_a_socket_whose_path_is_long_is_reached_all_the_same(tmp_path):
    folder = tmp_path / ("f" * 120)
    folder.mkdir()
    control = ControlServer(folder / "hsctl.sock", {"ping": lambda: "pong"})
    control.start()
    try:
        pool = gevent.get_hub().threadpool
        assert pool.apply(ask, (folder / "hsctl.sock", "ping", {})) == "pong"
    finally:
        control.stop()
    with pytest.raises(NotRunning):
        ask(folder / "hsctl.sock", "ping", {})
