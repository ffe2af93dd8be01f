"""Configuration: `homeserver.yaml` becomes frozen dataclasses, read once at start and passed in.

Each key is declared once, in its section's module, with default, parser and help; the sample file, the admin guide's
table and `hsctl config show` come from those declarations. Nothing here is imported as a global by the rest.
"""

from core.config.loader import load_config
from core.config.model import Config
from core.config.problems import ConfigError

__all__ = ["Config", "ConfigError", "load_config"]
