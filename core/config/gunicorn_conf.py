"""What gunicorn.conf.py is for a checkout, for an installed package: gunicorn reads its settings from here.

Importing it reads the configuration; only gunicorn, started by `hsctl serve`, does so.
"""

from core.config.gunicorn import settings_or_exit

globals().update(settings_or_exit())
