"""What the server makes for itself when it is not there yet: data folder, signing key, secrets, media folder.

Nothing existing is ever changed. What is made is readable by the owner alone.
"""

from __future__ import annotations

import base64
import os
import secrets
import string
from dataclasses import replace

from core.config.keys import read_signing_keys
from core.config.loader import SECRETS_FILE
from core.config.logs import read_log_config
from core.config.model import Config, registry, section_values
from core.config.problems import ConfigError

_GENERATED = ("macaroon_secret_key", "form_secret")


def prepare(config: Config) -> Config:
    """Make what is missing and return the configuration with the generated secrets. Raises ConfigError."""
    try:
        return _prepare(config)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or config.server.data_dir}: {error.strerror}; the server cannot start."
        ) from error


def new_signing_key() -> str:
    """A line of a signing key file: algorithm, id and the 32 bytes of a new ed25519 seed in base64."""
    key_id = "".join(secrets.choice(string.ascii_letters) for _ in range(4))
    return f"ed25519 a_{key_id} {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}\n"


def _prepare(config: Config) -> Config:
    if config.keys.signing_key is None and not os.path.exists(config.keys.signing_key_path):
        _make_folder(os.path.dirname(config.keys.signing_key_path))
        _write_private(config.keys.signing_key_path, new_signing_key())
    read_signing_keys(config.keys)
    config = _with_secrets(config)
    if read_log_config(config.logging) is None:
        _make_folder(os.path.dirname(config.logging.log_file))
        _check_writable(os.path.dirname(config.logging.log_file))
        _check_is_no_folder("log_file", config.logging.log_file)
    if config.database.name == "sqlite" and config.database.path != ":memory:":
        _make_folder(os.path.dirname(config.database.path))
        _check_writable(os.path.dirname(config.database.path))
        _check_is_no_folder("database.args.database", config.database.path)
    if config.media.enable_media_repo:
        _make_folder(config.media.media_store_path)
    return config


def _with_secrets(config: Config) -> Config:
    """Generate what is not set; without a config file a registration secret too, so that a first user can be made."""
    wanted = [*_GENERATED, *(["registration_shared_secret"] if config.source is None else [])]
    missing = [key for key in wanted if section_values(config, registry()[key].section)[registry()[key].field] is None]
    if not missing:
        return config
    made = {key: secrets.token_urlsafe(32) for key in missing}
    name = os.path.join(config.server.data_dir, SECRETS_FILE)
    _make_folder(config.server.data_dir)
    lines = "".join(f"{key}: {value}\n" for key, value in made.items())
    if os.path.exists(name):
        with open(name, encoding="utf-8") as file:
            lines = file.read().rstrip("\n") + "\n" + lines
        os.replace(_write_private(name + ".new", lines), name)
    else:
        _write_private(name, "# Made at first start. Keep it private, and in your backups.\n" + lines)
    for key, value in made.items():
        section = registry()[key].section
        config = replace(config, **{section: replace(getattr(config, section), **{registry()[key].field: value})})
    return config


def _make_folder(name: str) -> None:
    os.makedirs(name or ".", mode=0o700, exist_ok=True)


def _check_writable(folder: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: the folder is not writable by this user; the server cannot start.")


def _check_is_no_folder(setting: str, name: str) -> None:
    if os.path.isdir(name):
        raise ConfigError(f"{setting}: {name} is a folder; give the path of a file.")


def _write_private(name: str, content: str) -> str:
    """Write a file for the owner alone, complete or not at all."""
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        os.unlink(name)
        raise OSError(error.errno, error.strerror, name) from error
    return name
