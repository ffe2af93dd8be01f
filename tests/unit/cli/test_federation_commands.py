"""`hsctl keys` and `hsctl federation check`, run as an administrator runs them."""

from __future__ import annotations

import io
import time

import pytest

from core.cli.__main__ import main
from core.config import load_config
from core.config.keys import read_signing_keys
from core.wiring.federation import build_own_keys
from tests.servers.remote import Reply, make_certificate, running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hsctl(tmp_path, monkeypatch, capsys, certificate):
    """Run a command; (exit code, output, errors)."""
    config = tmp_path / "homeserver.yaml"
    config.write_text(
        f"server_name: example.org\ndata_dir: {tmp_path}\nip_range_blacklist: []\n"
        f"federation_custom_ca_list: ['{certificate.certificate}']\n"
    )
    monkeypatch.setenv("HS_CONFIG", str(config))

    def run(*arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO())
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_rotated_key_signs_and_the_old_one_is_still_current(hsctl):
    hsctl("keys", "list")
    ((old, _seed),) = read_signing_keys(load_config().keys)
    assert "Restart" in hsctl("keys", "rotate")[1]
    (new, _seed), (kept, _kept_seed) = read_signing_keys(load_config().keys)
    assert (kept, new != old) == (old, True)
    keys = build_own_keys(load_config()).server_keys()
    assert set(keys.verify_keys) == {new, old}
    assert set(keys.published["signatures"]["example.org"]) == {new, old}
    assert keys.valid_until_ts <= (time.time() + 86_400) * 1000
    assert f"{old}  current until" in hsctl("keys", "list")[1]


def test_a_key_whose_overlap_is_over_becomes_old_and_loses_its_secret_at_the_next_rotation(hsctl, tmp_path):
    hsctl("keys", "rotate")
    retired = tmp_path / "signing.key.retired"
    old, public, _until = retired.read_text().split()
    retired.write_text(f"{old} {public} 1700000000000\n")
    assert build_own_keys(load_config()).server_keys().old_verify_keys[old].expired_ts == 1_700_000_000_000
    assert f"{old}  old since 2023-11-14" in hsctl("keys", "list")[1]
    hsctl("keys", "rotate")
    assert old not in [key_id for key_id, _seed in read_signing_keys(load_config().keys)]
    assert set(build_own_keys(load_config()).server_keys().old_verify_keys) == {old}


def test_a_damaged_list_of_retired_keys_is_a_sentence(hsctl, tmp_path):
    hsctl("keys", "list")
    (tmp_path / "signing.key.retired").write_text("nonsense\n")
    code, _out, err = hsctl("keys", "list")
    assert code == 2
    assert "line 1 must read" in err


def test_a_server_that_is_well_is_said_to_be(hsctl, certificate):
    with running(certificate) as remote:
        code, out, _err = hsctl("federation", "check", remote.name)
    assert code == 0
    assert "ok    Keys: ed25519:a, signed, valid for 24.0 hours more." in out
    assert "It runs Fake 1." in out


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("nobody", "Connection refused"),
        ("no name", "is not a server name"),
        ("no address", "There is no address"),
        ("keys", "did not sign"),
        ("expired", "have run out"),
        ("page", "proxied to a homeserver"),
    ],
)
def test_what_is_wrong_with_a_server_is_one_line(hsctl, certificate, trouble, sentence):
    with running(certificate) as remote:
        name = remote.name
        if trouble == "nobody":
            remote.stop()
        elif trouble == "no name":
            name = "http://x"
        elif trouble == "no address":
            name = "nowhere.invalid:1"
        elif trouble == "keys":
            remote.answer("/_matrix/key", {**remote.published_keys(), "signatures": {}})
        elif trouble == "expired":
            remote.valid_for_ms = -3_600_000
        else:
            remote.answer("/_matrix/key", Reply("200 OK", b"<html>"))
        code, out, _err = hsctl("federation", "check", name)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("WRONG") and sentence in line]


def test_a_certificate_for_another_name_is_one_line(hsctl, tmp_path_factory):
    other = make_certificate(tmp_path_factory.mktemp("other"), "DNS:else.org")
    with running(other) as remote:
        code, out, _err = hsctl("federation", "check", remote.name)
    assert code == 1
    assert "WRONG The certificate at localhost:" in out
