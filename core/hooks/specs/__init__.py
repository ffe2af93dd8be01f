"""All hooks there are, one module a family. `FAMILIES` is what the manager registers and the docs test walks."""

from typing import Final

from core.hooks.specs import contributions, events, limits, observers, passwords, permissions

FAMILIES: Final = (events, permissions, passwords, limits, observers, contributions)
