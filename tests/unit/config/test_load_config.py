"""What a file means, and what is said about mistakes in it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config import Config, ConfigError, load_config
from core.config.parsers import Rate


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "homeserver.yaml"
    file.write_text("server_name: example.com\n" + text)
    return load_config(str(file), environ)


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environ)
    return "\n".join(caught.value.sentences)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load_config(environ={})
    assert (config.server_name, config.source, config.database.path) == (
        "localhost", None, str(tmp_path / "data/homeserver.db"),
    )  # fmt: skip
    assert [bind for listener in config.listeners.listeners for bind in listener.binds()] == ["127.0.0.1:8008"]


def test_hs_config_names_the_file_and_the_working_directory_is_looked_at_otherwise(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("server_name: other.org")
    (tmp_path / "homeserver.yaml").write_text("server_name: here.org")
    assert load_config(environ={"HS_CONFIG": "other.yaml"}).server_name == "other.org"
    assert load_config(environ={}).server_name == "here.org"


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read: No such file"):
        load_config(environ={"HS_CONFIG": "gone.yaml"})


def test_a_file_must_name_the_server(tmp_path: Path) -> None:
    (tmp_path / "homeserver.yaml").write_text("report_stats: false")
    with pytest.raises(ConfigError, match="server_name: missing"):
        load_config(environ={})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max_upload_size: 10M", 10 * 1024**2),
        ("max_upload_size: 1024", 1024),
        ("session_lifetime: 7d", 7 * 86_400_000),
        ("session_lifetime: 5000", 5000),
        ("presence: {enabled: untracked}", "untracked"),
        ("rc_login: {address: {per_second: 2, burst_count: 3}}", Rate(2.0, 3)),
        ("rc_message: {per_second: 2}", Rate(2.0, 10)),
        ("max_upload_size: null", 50 * 1024**2),
        ("default_room_version: 11", "11"),
        ("ip_range_blacklist: ['10.0.0.0/8', '::1']", tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "::1")))),
        ("database: {name: mysql, args: {user: a, database: b}}", "mysql"),
        ("email: {smtp_host: mail.example.com}", "mail.example.com"),
        ("turn_uris: ['turn:a']", ("turn:a",)),
        ("max_event_delay_duration: null", None),
    ],
)  # fmt: skip
def test_values_are_read_as_administrators_write_them(tmp_path: Path, text: str, value: Any) -> None:
    from core.config.model import registry, section_values

    config = load(tmp_path, text)
    written = yaml.safe_load(text)
    key = next(iter(written))
    candidates = [s for s in registry().values() if s.key == key or s.key.startswith(key + ".")]
    assert value in [section_values(config, s.section)[s.field] for s in candidates]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enable_registration: 1", "enable_registration: 1 is not allowed; give true or false."),
        ("enable_registration: 'yes'", "enable_registration: 'yes' is not allowed; give true or false."),
        ("bcrypt_rounds: 3", "bcrypt_rounds: 3 is not allowed; give a whole number from 4 to 31."),
        ("bcrypt_rounds: true", "bcrypt_rounds: True is not allowed"),
        ("max_upload_size: 5 apples", "max_upload_size: '5 apples' is not allowed; give a number of bytes"),
        ("max_upload_size: -1", "max_upload_size: -1 is not allowed"),
        ("session_lifetime: soon", "session_lifetime: 'soon' is not allowed; give a number of milliseconds"),
        ("default_room_version: '13'", "default_room_version: '13' is not allowed; give one of '1', '2'"),
        ("presence: {enabled: maybe}", "presence.enabled: 'maybe' is not allowed; give true or false, or one of"),
        ("presence: on sundays", "presence: 'on sundays' is not allowed; give a mapping of settings to values."),
        ("rc_message: {per_second: 0, burst_count: 1}", "rc_message: {'per_second': 0, 'burst_count': 1} is not"),
        ("rc_message: {per_second: .nan}", "rc_message: {'per_second': nan} is not allowed"),
        ("rc_message: 5", "rc_message: 5 is not allowed; give a mapping with per_second"),
        ("public_baseurl: example.com", "public_baseurl: 'example.com' is not allowed; give a URL such as https://"),
        ("ip_range_blacklist: [10.0.0.0/99]", "ip_range_blacklist: ['10.0.0.0/99'] is not allowed; give a list where"),
        ("listeners: [{port: 99999}]", "item 1 is a listener whose port is a whole number from 0 to 65535"),
        ("listeners: [{port: 1, path: /x}]", "either port or path"),
        ("listeners: [{port: 1, colour: red}]", "a mapping without 'colour'"),
        ("listeners: [{port: 1, resources: [{names: [everything]}]}]", "one of 'client', 'federation'"),
        ("listeners: [{port: 1, type: manhole}]", "one of 'http', 'metrics'"),
        ("listeners: []", "listeners: [] is not allowed; give at least one."),
        ("listeners: [{port: 1, bind_addresses: ['::1', '::1']}]", "[::1]:1 is named twice"),
        ("listeners: [{port: 1, tls: true}]", "tls_certificate_path: missing; a listener has tls: true"),
        ("database: {name: psycopg2}", "database.name: 'psycopg2' is not allowed; give sqlite3 for a file"),
        ("database: {name: mariadb}", "database.args.user: missing"),
        ("workers: 4", "workers: 4 is not allowed; give 1."),
        ("enable_registration: true", "enable_registration: true is not allowed alone"),
        ("old_signing_keys: {'ed25519:a': {key: xx, expired_ts: 1}}", "give a public key of 32 bytes in base64"),
        ("modules: [{config: {}}]", "a mapping with module"),
        ("modules: [{module: a, colour: red}]", "no other keys than module, config, observe_only"),
        ("modules: [{module: a, observe_only: 1}]", "whose observe_only is true or false"),
        ("modules: [{module: a, strikes: 0}]", "whose strikes is a whole number of at least 1"),
        ("modules: [{module: a, strikes: true}]", "whose strikes is a whole number of at least 1"),
        ("modules: [{module: a, off_seconds: soon}]", "whose off_seconds is a number of seconds above 0"),
        ("modules: [{module: a, time_limits: {b: -1}}]", "whose time_limits is a mapping of hook names"),
        ("{", "is not YAML, line"),
        ("turn_shared_secret: 5", "turn_shared_secret: the value given is not allowed"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_key_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "bcrypt_rounds: 1\nmax_upload_size: x\nreport_stats: no way\n")
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_upload_sise: 5M", "max_upload_sise: unknown setting, ignored; did you mean max_upload_size?"),
        ("presence: {enable: true}", "presence.enable: unknown setting, ignored; did you mean presence.enabled?"),
        ("xyzzy: 1", "xyzzy: unknown setting, ignored."),
        ("stream_writers: {}", "stream_writers: ignored; one process does every job"),
    ],
)
def test_an_unknown_key_is_a_warning_with_the_nearest_name(tmp_path: Path, text: str, said: str) -> None:
    assert load(tmp_path, text).warnings[0].startswith(said)


def test_a_setting_without_effect_is_a_warning_where_it_is_set_to_something(tmp_path: Path) -> None:
    said = "cas_config: known, but without effect in this release."
    assert load(tmp_path, "cas_config: {enabled: true}").warnings == (said,)
    assert load(tmp_path, "cas_config: {}").warnings == ()


def test_a_secret_may_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    config = load(tmp_path, "registration_shared_secret_path: secret\nredis: {password: '${REDIS}-x'}", REDIS="env")
    assert (config.registration.registration_shared_secret, config.redis.password) == ("from a file", "env-x")


def test_a_nested_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    text = (
        "database: {name: mysql, args: {user: u, database: d, password_path: secret}}\nredis: {password_path: secret}"
    )
    config = load(tmp_path, text)
    assert (config.database.args["password"], config.redis.password) == ("hush", "hush")


def test_an_escaped_dollar_is_left_alone(tmp_path: Path) -> None:
    assert load(tmp_path, "form_secret: 'a$${B}c$d'").auth.form_secret == "a${B}c$d"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("form_secret: ${NOT_SET}", "form_secret: the environment variable NOT_SET is not set"),
        ("form_secret_path: gone", "form_secret_path: gone cannot be read: No such file"),
        ("form_secret_path: secret\nform_secret: x", "form_secret: given twice"),
    ],
)
def test_a_secret_that_cannot_be_had_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "secret").write_text("x")
    assert said.replace("gone", str(tmp_path / "gone") if "_path: gone" in text else "gone") in refusal(tmp_path, text)


def test_a_client_resource_brings_media_and_administration_along(tmp_path: Path) -> None:
    config = load(tmp_path, "listeners: [{path: /run/hs.sock, mode: '660', resources: [{names: [client]}]}]")
    listener = config.listeners.listeners[0]
    assert listener.binds() == ["unix:/run/hs.sock"]
    assert listener.mode == 0o660
    assert {"client", "media", "admin"} <= set(listener.resources)
    assert "federation" not in listener.resources


@pytest.mark.parametrize(
    ("addresses", "has_ipv6", "binds"),
    [
        (None, True, ["[::]:1"]),
        (None, False, ["0.0.0.0:1"]),
        (["::1", "127.0.0.1"], True, ["[::1]:1", "127.0.0.1:1"]),
        (["::1", "127.0.0.1"], False, ["127.0.0.1:1"]),
        (["::1"], False, ["[::1]:1"]),
    ],
)
def test_addresses_that_the_machine_cannot_have_are_left_out(
    tmp_path: Path, addresses: list[str] | None, has_ipv6: bool, binds: list[str]
) -> None:
    listener = {"port": 1} | ({"bind_addresses": addresses} if addresses else {})
    config = load(tmp_path, yaml.safe_dump({"listeners": [listener]}))
    assert config.listeners.listeners[0].binds(has_ipv6) == binds


def test_the_configuration_of_the_benchmark_suite_is_accepted_silently(tmp_path: Path) -> None:
    high = {"per_second": 1000000, "burst_count": 1000000}
    nested = {
        "rc_login": ("address", "account", "failed_attempts"), "rc_joins": ("local", "remote"),
        "rc_invites": ("per_room", "per_user", "per_issuer"), "rc_presence": ("per_user",),
    }  # fmt: skip
    flat = (
        "message registration registration_token_validity admin_redaction joins_per_room key_requests 3pid_validation "
        "third_party_invite media_create room_creation reports user_directory delayed_event_mgmt"
    )
    written: dict[str, Any] = {f"rc_{name}": high for name in flat.split()}
    written |= {name: dict.fromkeys(parts, high) for name, parts in nested.items()}
    written |= {
        "public_baseurl": "http://127.0.0.1:1/", "media_store_path": "media", "macaroon_secret_key": "m",
        "trusted_key_servers": [], "suppress_key_server_warning": True, "ip_range_blacklist": [],
        "federation_verify_certificates": False, "presence": {"enabled": False}, "url_preview_enabled": False,
        "rc_federation": {"window_size": 1000, "sleep_limit": 1, "sleep_delay": 1, "reject_limit": 1, "concurrent": 9},
        "federation_rr_transactions_per_room_per_second": 1000000, "report_stats": False, "log_config": "log.yaml",
        "signing_key_path": "signing.key", "form_secret": "f", "bcrypt_rounds": 4, "max_upload_size": "50M",
        "database": {"name": "sqlite3", "args": {"database": os.fspath(tmp_path / "hs.db")}},
    }  # fmt: skip
    config = load(tmp_path, yaml.safe_dump(written))
    assert config.warnings == ()
    assert config.ratelimits.rc_presence_per_user == Rate(1e6, 10**6)
    assert config.federation.ip_range_blacklist == ()
