"""How a setting is declared: `name: type = setting(default, parser, help)` in a frozen dataclass.

A section is such a dataclass; its keys stand at the top level of `homeserver.yaml` unless `key` names another place,
with dots for nesting (`presence.enabled`). A secret also gets a `…_path` twin that names a file holding it.
Refuses to know any particular setting: those live in the sections.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Parser = Callable[[Any], Any]
"""Turns a YAML value into the setting's value, or raises ValueError with the sentence part saying what is allowed."""

DATA_DIR = "{data_dir}"
"""Stands in a default for the folder that `data_dir` names."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared key: where it stands in the file (`key`), and where in a section (`section`, `field`)."""

    key: str
    section: str
    field: str
    default: Any
    parser: Parser
    help: str
    secret: bool = False
    example: Any = None
    nullable: bool = False

    @property
    def path_key(self) -> str | None:
        """The key that names a file holding the value, for secrets."""
        return f"{self.key}_path" if self.secret else None

    def default_value(self, data_dir: str) -> Any:
        """The value where the file says nothing."""
        return _parsed_default(self.default, self.parser, data_dir)


def setting(
    default: Any,
    parser: Parser,
    help: str,
    *,
    key: str | None = None,
    secret: bool = False,
    example: Any = None,
    nullable: bool = False,
) -> Any:
    """Declare one setting as a dataclass field.

    `default` is what the YAML would say and goes through `parser`, except for `None`, which means "not set".
    `example` is shown in the generated sample where the default says nothing. `nullable`: `null` in the file means
    `None`, and not the default.
    """
    return dataclasses.field(
        default_factory=lambda: _parsed_default(default, parser, "data"),
        metadata={
            "default": default,
            "parser": parser,
            "help": help,
            "key": key,
            "secret": secret,
            "example": example,
            "nullable": nullable,
        },
    )


def settings_of(section: str, declared: type) -> list[Setting]:
    """Every setting the dataclass `declared` holds, in order; `section` is its attribute on `Config`."""
    return [
        Setting(
            key=f.metadata["key"] or f.name,
            section=section,
            field=f.name,
            **{name: f.metadata[name] for name in ("default", "parser", "help", "secret", "example", "nullable")},
        )
        for f in dataclasses.fields(declared)
        if "parser" in f.metadata
    ]


def _parsed_default(default: Any, parser: Parser, data_dir: str) -> Any:
    if default is None:
        return None
    if isinstance(default, str):
        default = default.replace(DATA_DIR, data_dir)
    return parser(default)
