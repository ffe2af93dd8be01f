"""`hsctl config`: write, check and show the configuration."""

from __future__ import annotations

import argparse
import os
import secrets
import sys

from core.config import load_config
from core.config.logs import read_log_config
from core.config.problems import ConfigError
from core.config.reference import in_force, reference_page, sample
from core.config.sockets import refuse_bad_certificate
from core.ids import is_server_name


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `config` and what it can do."""
    parser = subparsers.add_parser("config", help="write, check or show the configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser("generate", help="write a commented homeserver.yaml with fresh secrets")
    make.add_argument("--server-name", required=True, help="the domain of user ids, such as example.com")
    make.add_argument("-o", "--output", help="file to write; without it the text goes to the terminal")
    make.set_defaults(run=_generate)
    check = actions.add_parser("check", help="say what is wrong with a configuration")
    check.add_argument("file", nargs="?", help="the file; HS_CONFIG or ./homeserver.yaml without it")
    check.set_defaults(run=_check)
    show = actions.add_parser("show", help="print what is in force, secrets hidden")
    show.add_argument("file", nargs="?", help="the file; HS_CONFIG or ./homeserver.yaml without it")
    show.set_defaults(run=_show)
    reference = actions.add_parser("reference", help="print the admin guide's page about every setting")
    reference.set_defaults(run=_reference)


def _generate(arguments: argparse.Namespace) -> int:
    if not is_server_name(arguments.server_name):
        raise ConfigError(
            f"server_name: {arguments.server_name!r} is not allowed; give a domain name or IP address with an optional "
            "port, such as example.com."
        )
    keys = ("registration_shared_secret", "macaroon_secret_key", "form_secret")
    text = sample(arguments.server_name, {key: secrets.token_urlsafe(32) for key in keys})
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        descriptor = os.open(arguments.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{arguments.output} exists already; it is left as it is.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{arguments.output} is written. Start the server with: HS_CONFIG={arguments.output} hsctl serve")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.file)
    read_log_config(config.logging)
    refuse_bad_certificate(config)
    for sentence in config.warnings:
        print(f"warning: {sentence}", file=sys.stderr)
    print(f"{config.source or 'The built-in configuration'} is fine; the server is {config.server_name}.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.file)
    for sentence in config.warnings:
        print(f"warning: {sentence}", file=sys.stderr)
    sys.stdout.write(in_force(config))
    return 0


def _reference(arguments: argparse.Namespace) -> int:
    sys.stdout.write(reference_page())
    return 0
