"""`hsctl serve`: gunicorn with the settings of `homeserver.yaml`, from wherever the package is installed."""

from __future__ import annotations

import argparse
import os
import sys

import core.config


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve`."""
    parser = subparsers.add_parser("serve", help="run the server")
    parser.add_argument("-c", "--config", help="the file; HS_CONFIG or ./homeserver.yaml without it")
    parser.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    """Become gunicorn; a new process image, so that a later SIGUSR2 restarts this very command."""
    environ = dict(os.environ)
    if arguments.config is not None:
        environ["HS_CONFIG"] = os.path.abspath(arguments.config)
    # by file, since gunicorn reads a module only once, and a reload must read it again
    settings = f"file:{os.path.join(os.path.dirname(core.config.__file__), 'gunicorn_conf.py')}"
    command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-c", settings, "core.wsgi"]
    sys.stdout.flush()
    os.execve(sys.executable, command, environ)
