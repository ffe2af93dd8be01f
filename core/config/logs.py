"""Logging: a dictConfig file named by the administrator, or a file in the data folder and warnings on stderr."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import boolean, choice, path
from core.config.problems import ConfigError
from core.config.settings import setting

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Where the log goes."""

    log_config: str | None = setting(
        None, path, "YAML file in the form of Python's logging.config.dictConfig; unset, log_file and stderr are used."
    )
    log_file: str = setting("{data_dir}/homeserver.log", path, "Log file, where there is no log_config.")
    log_level: str = setting("INFO", choice(*_LEVELS), "Least important lines kept in log_file.")
    access_log: bool = setting(
        False,
        boolean,
        "Log each request as a line of JSON, by the logger core.access. Costs time; proxies do it better.",
    )


def set_up_logging(config: LoggingConfig) -> str:
    """Start logging; returns where the log is, as shown at start. Raises ConfigError where it cannot be written."""
    described = read_log_config(config)
    if described is None:
        described = _default(config)
    try:
        logging.config.dictConfig(described)
        logging.raiseExceptions = False  # a full disk must not turn each log line into a traceback on stderr
    except (ValueError, TypeError, AttributeError, ImportError, OSError) as error:
        cause = error.__cause__ or error
        words = cause.strerror if isinstance(cause, OSError) else cause
        name = config.log_config or config.log_file
        raise ConfigError(f"The log cannot be set up from {name}: {words}.") from error
    return log_place(config)


def log_place(config: LoggingConfig) -> str:
    """Where the log is, for the banner: the files that are written, or the config that says so."""
    described = read_log_config(config)
    if described is None:
        return config.log_file
    handlers = described.get("handlers")
    files = (
        [str(h["filename"]) for h in handlers.values() if isinstance(h, Mapping) and "filename" in h]
        if isinstance(handlers, Mapping)
        else []
    )
    return ", ".join(files) or f"as {config.log_config} says"


def read_log_config(config: LoggingConfig) -> dict[str, Any] | None:
    """The dictConfig of `log_config`, or None where it is not set. Raises ConfigError where it cannot be read."""
    if config.log_config is None:
        return None
    import yaml  # only where a file is named

    try:
        with open(config.log_config, encoding="utf-8") as file:
            described = yaml.safe_load(file)
    except OSError as error:
        raise ConfigError(f"log_config: {config.log_config} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"log_config: {config.log_config} is not YAML: {error}") from error
    if not isinstance(described, dict) or "version" not in described:
        raise ConfigError(
            f"log_config: {config.log_config} holds no logging configuration; it needs at least `version: 1`."
        )
    described.setdefault("disable_existing_loggers", False)
    return described


def _default(config: LoggingConfig) -> dict[str, Any]:
    os.makedirs(os.path.dirname(config.log_file), mode=0o700, exist_ok=True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": _FORMAT}},
        "handlers": {
            "file": {
                "class": "logging.handlers.WatchedFileHandler",
                "filename": config.log_file,
                "formatter": "line",
                "level": config.log_level,
            },
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "level": "WARNING"},
        },
        "root": {"level": config.log_level, "handlers": ["file", "stderr"]},
    }
