"""Process matters, all taken from homeserver.yaml; see core/config/gunicorn.py."""

from core.config.gunicorn import settings_or_exit

globals().update(settings_or_exit())
