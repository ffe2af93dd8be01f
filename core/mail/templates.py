"""Texts of mails and pages: built in, each replaced by a file of its name in the administrator's template folder.

Names and variables are those that administrators of other Matrix servers know, so their files work here. HTML
templates escape what is put into them. Templates run in a sandbox: they show values and reach nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.mail.builtin_templates import BUILT_IN

if TYPE_CHECKING:  # Jinja is loaded with the first template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

SUFFIXES = (".html", ".txt")


class Templates:
    """Renders templates. `folder` is `templates.custom_template_directory`."""

    def __init__(self, folder: str | None = None, defaults: Mapping[str, str] | None = None) -> None:
        """`defaults` are variables that every template has, such as `app_name`."""
        self._folder, self._defaults = folder, dict(defaults or {})

    @cached_property
    def _environment(self) -> ImmutableSandboxedEnvironment:
        from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        files = [FileSystemLoader(self._folder)] if self._folder is not None else []
        environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([*files, DictLoader(BUILT_IN)]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
        )
        environment.globals.update(self._defaults)
        environment.filters["format_ts"] = _format_ts
        return environment

    def render(self, name: str, /, **variables: object) -> str:
        """The text of a template. Raises: jinja2's TemplateError for a file that is wrong."""
        return self._environment.get_template(name).render(**variables)

    def problems(self) -> list[str]:
        """A sentence for each replacement that cannot be read; called at start, so that nobody waits for a mail."""
        from jinja2 import TemplateError

        found = []
        for name in sorted(BUILT_IN):
            try:
                self._environment.get_template(name)
            except (TemplateError, OSError, UnicodeDecodeError) as error:
                found.append(f"The template {name} cannot be used: {error}.")
        return found


def _format_ts(sent_ms: int, form: str) -> str:
    """A time of an event, in UTC. What lies outside the calendar is no time."""
    try:
        return time.strftime(form, time.gmtime(sent_ms / 1000))
    except (ValueError, OverflowError, OSError):
        return ""


def consent_pages(folder: Path) -> ImmutableSandboxedEnvironment:
    """The environment of the administrator's own pages about terms, `<folder>/en/<version>.html`."""
    from jinja2 import FileSystemLoader
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(loader=FileSystemLoader(str(folder)), autoescape=True)
