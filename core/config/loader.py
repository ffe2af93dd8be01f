"""Reading `homeserver.yaml`: YAML to `Config`, with every mistake named in one go.

An unknown key is a warning, so that files written for other servers work; a wrong value is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.config.checks import contradictions
from core.config.database import DatabaseConfig
from core.config.model import SECTIONS, Config, registry
from core.config.problems import ConfigError
from core.config.retired import IGNORED
from core.config.settings import Setting
from core.config.without_effect import WITHOUT_EFFECT

DEFAULT_FILE = "homeserver.yaml"
SECRETS_FILE = "secrets.yaml"
"""Generated secrets, in the data folder; what `homeserver.yaml` says has precedence."""


def load_config(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in force. `path` defaults to HS_CONFIG, then ./homeserver.yaml where present, then no file.

    Reads files and changes nothing. Raises ConfigError with a sentence for each mistake.
    """
    source = path or environ.get("HS_CONFIG") or (DEFAULT_FILE if os.path.exists(DEFAULT_FILE) else None)
    written = {} if source is None else read_yaml(source)
    return config_from(written, source, environ)


def config_from(written: Mapping[str, Any], source: str | None, environ: Mapping[str, str]) -> Config:
    """The configuration that the mapping `written` describes; `source` is the file's name, for sentences."""
    reading = _Reading(environ)
    reading.walk(written, "")
    reading.read_secret_files()
    data_dir = reading.values.get("server.data_dir") or os.path.abspath("data")
    if not reading.problems:
        reading.add_generated_secrets(os.path.join(data_dir, SECRETS_FILE))
    if source is not None and "server_name" not in reading.seen:
        reading.problems.append("server_name: missing; give the domain of this server's user ids, such as example.com.")
    if reading.problems:
        raise ConfigError(*reading.problems)
    sections = {name: declared(**_section(name, reading, data_dir)) for name, declared in SECTIONS.items()}
    sections["database"] = _finish_database(sections["database"], data_dir)
    config = Config(**sections, source=source, warnings=tuple(reading.warnings))
    if found := contradictions(config, reading.seen):
        raise ConfigError(*found)
    return config


def read_yaml(path: str) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty one. Raises ConfigError with the line of a mistake."""
    import yaml  # not needed, nor loaded, where there is no file

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.load(file, Loader=loader)
    except OSError as error:
        raise ConfigError(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The file {path} is not UTF-8 text.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"The file {path} is not YAML{where}: {getattr(error, 'problem', None) or error}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ConfigError(f"The file {path} must hold a mapping of settings to values.")
    return found


def shown(value: Any) -> str:
    """A value as sentences show it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


@dataclass
class _Reading:
    """What one pass over the file found."""

    environ: Mapping[str, str]
    values: dict[str, Any] = field(default_factory=dict)  # "section.field" to parsed value
    seen: set[str] = field(default_factory=set)  # dotted keys
    secret_files: dict[str, str] = field(default_factory=dict)  # key of the secret to file
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def walk(self, written: Mapping[Any, Any], prefix: str) -> None:
        """Take every key of one level of the file."""
        secrets = {s.path_key: s.key for s in registry().values() if s.secret}
        groups = {key.rsplit(".", 1)[0] for key in registry() if "." in key}
        for name, value in written.items():
            key = f"{prefix}{name}"
            if key in registry():
                self._take(registry()[key], value)
            elif key in secrets:
                self._take_path(key, secrets[key], value)
            elif key in groups:
                self._take_group(key, value)
            elif key in IGNORED:
                self.warnings.append(f"{key}: ignored; {IGNORED[key]}.")
            else:
                self._unknown(key)

    def read_secret_files(self) -> None:
        """Replace each `…_path` by what its file holds."""
        for key, name in self.secret_files.items():
            if key in self.seen:
                self.problems.append(f"{key}: given twice; leave out either {key} or {key}_path.")
                continue
            try:
                with open(name, encoding="utf-8") as file:
                    self._take(registry()[key], file.read().strip())
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                self.problems.append(f"{key}_path: {name} cannot be read: {reason}.")

    def add_generated_secrets(self, name: str) -> None:
        """Take secrets that first start made, where the file says nothing of them."""
        if not os.path.exists(name):
            return
        for key, value in read_yaml(name).items():
            if key in registry() and key not in self.seen:
                found = registry()[key]
                self.values[f"{found.section}.{found.field}"] = value

    def expand(self, value: Any, key: str) -> Any:
        """`value` with each `${NAME}` replaced from the environment; `$${` stands for `${`."""
        if isinstance(value, str) and "${" in value:
            return re.sub(
                r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda m: m[1] or self._variable(m[2], key), value
            )
        if isinstance(value, dict):
            return {name: self.expand(one, key) for name, one in value.items()}
        if isinstance(value, list):
            return [self.expand(one, key) for one in value]
        return value

    def _variable(self, name: str, key: str) -> str:
        if name not in self.environ:
            self.problems.append(f"{key}: the environment variable {name} is not set; set it, or write $${{ for ${{.")
        return self.environ.get(name, "")

    def _take(self, found: Setting, value: Any) -> None:
        self.seen.add(found.key)
        if value is None and not found.nullable:
            return
        value = self.expand(value, found.key)
        try:
            self.values[f"{found.section}.{found.field}"] = None if value is None else found.parser(value)
        except ValueError as error:
            given = "the value given" if found.secret else shown(value)
            self.problems.append(f"{found.key}: {given} is not allowed; give {error}.")
            return
        if found.key in WITHOUT_EFFECT and value != found.default:
            self.warnings.append(f"{found.key}: known, but without effect in this release.")

    def _take_path(self, key: str, secret: str, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, str) or not value:
            self.problems.append(f"{key}: {shown(value)} is not allowed; give the path of a file.")
            return
        self.secret_files[secret] = os.path.abspath(os.path.expanduser(self.expand(value, key)))

    def _take_group(self, key: str, value: Any) -> None:
        if isinstance(value, Mapping):
            self.walk(value, key + ".")
        elif value is not None:
            self.problems.append(f"{key}: {shown(value)} is not allowed; give a mapping of settings to values.")

    def _unknown(self, key: str) -> None:
        import difflib  # rare

        near = difflib.get_close_matches(key, list(registry()), n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else "."
        self.warnings.append(f"{key}: unknown setting, ignored{hint}")


def _section(name: str, reading: _Reading, data_dir: str) -> dict[str, Any]:
    """Keyword arguments of one section's dataclass."""
    return {
        s.field: reading.values[f"{name}.{s.field}"]
        if f"{name}.{s.field}" in reading.values
        else s.default_value(data_dir)
        for s in registry().values()
        if s.section == name
    }


def _finish_database(database: DatabaseConfig, data_dir: str) -> DatabaseConfig:
    """Fill in what depends on the data folder and on `args.password_path`."""
    args = dict(database.args)
    if name := args.pop("password_path", None):
        try:
            with open(str(name), encoding="utf-8") as file:
                args["password"] = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigError(f"database.args.password_path: {name} cannot be read: {reason}.") from error
    if database.name == "sqlite":
        given = args.get("database", os.path.join(data_dir, "homeserver.db"))
        if not isinstance(given, str) or not given:
            raise ConfigError(f"database.args.database: {shown(given)} is not allowed; give the path of a file.")
        args["database"] = given if given == ":memory:" else os.path.abspath(os.path.expanduser(given))
    return replace(database, args=args, default_path=os.path.join(data_dir, "homeserver.db"))
