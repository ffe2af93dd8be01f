"""`hsctl user` and `hsctl hash-password`, run as an administrator runs them."""

import io
import json

import bcrypt
import pytest

from core.cli.__main__ import main
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.owning import FileLease
from core.storage.users import UserStore


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


def test_an_account_is_made_on_a_server_that_runs(hsctl, tmp_path, monkeypatch):
    from gevent.pywsgi import WSGIServer

    from tests.servers.accounts import SECRET, Accounts

    accounts = Accounts(tmp_path)
    server = WSGIServer(("127.0.0.1", 0), accounts.client.application, log=None)
    server.start()
    config = tmp_path / "homeserver.yaml"
    listener = f"{{port: {server.server_port}, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}"
    config.write_text(
        f"server_name: example.org\ndata_dir: {tmp_path}\n"
        f"registration_shared_secret: {SECRET}\nlisteners: [{listener}]\n"
    )
    lease = FileLease(tmp_path / "homeserver.db")
    lease.take(1)
    try:
        assert hsctl("user", "create", "alice", "-p", "secret")[1] == "@alice:example.org is made.\n"
        assert hsctl("user", "create", "alice", "-p", "secret")[2] == "This user name is taken.\n"
        assert accounts.log_in("alice").status_code == 200
        assert "is using the database" in hsctl("user", "list")[2]
    finally:
        lease.release()
        server.stop()
        accounts.close()
