"""Every setting is declared well, and what is generated from the declarations is current."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest
import yaml

from core.cli.__main__ import main
from core.config import Config, ConfigError, load_config
from core.config.first_start import prepare
from core.config.gunicorn import settings
from core.config.keys import KeysConfig, read_signing_keys
from core.config.model import registry
from core.config.reference import in_force, reference_page, sample

ROOT = Path(__file__).parents[3]


def test_every_setting_has_help_that_is_a_sentence() -> None:
    assert [s.key for s in registry().values() if len(s.help) < 10 or not s.help.rstrip().endswith((".", ";"))] == []


def test_every_default_and_example_passes_its_own_parser() -> None:
    for one in registry().values():
        one.default_value("data")
        if one.example is not None:
            one.parser(one.example)


def test_no_key_is_declared_twice_or_lies_inside_another() -> None:
    keys = list(registry())
    assert not {key for key in keys if any(key.startswith(other + ".") for other in keys)}
    assert len(keys) == len({(s.section, s.field) for s in registry().values()})


def test_the_admin_guide_page_is_current() -> None:
    page = (ROOT / "docs/admin/configuration.md").read_text()
    assert page == reference_page(), "run: hsctl config reference > docs/admin/configuration.md"


def test_the_sample_file_is_valid_and_changes_nothing_but_what_it_sets(tmp_path: Path) -> None:
    file = tmp_path / "sample.yaml"
    file.write_text(sample("example.com", {"form_secret": "true"}))
    config = load_config(str(file), {})
    assert (config.server_name, config.auth.form_secret, config.warnings) == ("example.com", "true", ())


def test_every_line_of_the_sample_file_may_be_uncommented(tmp_path: Path) -> None:
    lines = sample("example.com", {}).splitlines()
    settings_only = [line.removeprefix("#") for line in lines if not line.startswith(("# ", "##", "#   "))]
    written = yaml.safe_load("\n".join(settings_only))
    assert {key.partition(".")[0] for key in registry()} == set(written)


def test_secrets_are_hidden_in_what_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "hs.yaml"
    file.write_text(
        "server_name: a.org\nform_secret: hush1\nredis: {password: hush2}\n"
        "database: {name: mysql, args: {user: u, database: d, password: hush3}}\n"
        "jwt_config: {secret: hush4}\noidc_providers: [{client_secret: hush5}]\nsigning_key: hush6\n"
    )
    shown = in_force(load_config(str(file), {}))
    assert "hush" not in shown
    assert shown.count("(hidden)") == 6


def test_first_start_makes_private_files_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = prepare(load_config(environ={}))
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE((data / name).stat().st_mode) for name in ("signing.key", "secrets.yaml")} == {0o600}
    algorithm, key_id, seed = (data / "signing.key").read_text().split()
    assert (algorithm, key_id[:2], len(seed)) == ("ed25519", "a_", 43)
    assert prepare(load_config(environ={})) == first == load_config(environ={})


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="data") as caught:
        prepare(load_config(environ={}))
    assert len(caught.value.sentences) == 1


def test_a_full_disk_leaves_no_half_written_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(ConfigError, match=r"signing\.key: No space left on device; the server cannot start"):
        prepare(load_config(environ={}))
    assert not (tmp_path / "data/signing.key").exists()


def test_signing_keys_are_read_from_the_file_that_first_start_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ((key_id, seed),) = read_signing_keys(prepare(load_config(environ={})).keys)
    assert (key_id[:10], len(seed)) == ("ed25519:a_", 32)


@pytest.mark.parametrize("written", ["", "ed25519 a_id", "rsa a_id AAAA", "ed25519 a_id !!!"])
def test_a_file_without_a_signing_key_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "key").write_text(written)
    with pytest.raises(ConfigError, match="it must read: ed25519 a_id BASE64"):
        read_signing_keys(KeysConfig(signing_key_path=str(tmp_path / "key")))


def test_gunicorn_gets_every_listener_and_the_limits(tmp_path: Path) -> None:
    found = settings(Config())
    assert (found["bind"], found["keepalive"], found["limit_request_line"]) == (["127.0.0.1:8008"], 75, 8190)
    assert found["control_socket_disable"] is True
    assert found["worker_connections"] > 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["config", "check", "gone.yaml"], "The file gone.yaml cannot be read: No such file or directory."),
        (["config", "generate", "--server-name", "https://a"], "server_name: 'https://a' is not allowed"),
        (["config", "generate", "--server-name", "a.org", "-o", "there"], "there exists already"),
    ],
)
def test_a_command_that_fails_says_a_sentence_and_exits_with_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("")
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_generated_file_passes_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["config", "generate", "--server-name", "a.org", "-o", "hs.yaml"]) == 0
    assert stat.S_IMODE((tmp_path / "hs.yaml").stat().st_mode) == 0o600
    assert main(["config", "check", "hs.yaml"]) == 0
    assert "hs.yaml is fine; the server is a.org." in capsys.readouterr().out
