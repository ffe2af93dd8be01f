"""Hooks by which a plugin adds something to the server: they answer with declarations.

Each is called once in every process while the server starts, after all plugins are loaded and before the first
request; the facades of `PluginApi` do not work yet, so declare and do not act. All plugins are asked, in order, and
all answers are used; None is as good as an empty list. They must not block. If one raises, answers with the wrong type
or uses a name that is taken, the server does not start and says which plugin it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.hooks.declarations import (
    AuthStage,
    Consumer,
    Edu,
    Job,
    LoginType,
    MailTransport,
    MediaBackend,
    SyncSection,
    TableSet,
    UnsignedFields,
)
from core.hooks.markers import Failure, Kind, spec

if TYPE_CHECKING:
    from flask import Blueprint


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None)
def contribute_blueprints() -> Sequence[Blueprint] | None:
    """Add endpoints: Flask blueprints, served like the server's own, with its errors, CORS and metrics.

    Views authenticate and limit through `api.gate`. Paths begin with `/_` or `/.well-known/`; a path or a blueprint's
    name that exists already stops the start. Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, failure=Failure.STOP, seconds=None)
def contribute_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add subcommands to `hsctl`: make parsers, each with `set_defaults(run=function)`.

    `run(arguments)` returns the exit code; the facades do not work there. Nothing is answered. Order, blocking and
    failure: as this family, except that it is `hsctl` that does not start. Since 0.1.
    """


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=Job)
def contribute_background_jobs() -> Sequence[Job] | None:
    """Add jobs that run again and again, one process at a time.

    A run that fails is counted and the next one comes at its time. Order, blocking and failure: as this family.
    Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=TableSet)
def contribute_tables() -> Sequence[TableSet] | None:
    """Add tables of the plugin's own to the server's database; migrations run at start under the server's lock.

    A migration that fails stops the start; removing the plugin leaves its tables. Order, blocking and failure: as
    this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=Consumer)
def contribute_consumers() -> Sequence[Consumer] | None:
    """Add durable followers of the log, each with a cursor in the database, run by one process at a time.

    Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=SyncSection)
def contribute_sync_sections() -> Sequence[SyncSection] | None:
    """Add top-level keys to the answer of /sync.

    A section that fails is left out of that answer. Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=Edu)
def contribute_edus() -> Sequence[Edu] | None:
    """Add types of EDU that this server understands; send them with `api.federation`.

    A type the server itself handles is taken. An EDU whose handling fails is dropped, the transaction goes on. Order,
    blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=AuthStage)
def contribute_auth_stages() -> Sequence[AuthStage] | None:
    """Add stages of user-interactive authentication; `registration_requires_stages` makes registration ask for them.

    A stage whose check fails is not passed. Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=LoginType)
def contribute_login_types() -> Sequence[LoginType] | None:
    """Add login types to what GET /login lists; they are checked by `check_login_type`.

    Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, MailTransport, failure=Failure.STOP, seconds=None)
def contribute_mail_transport() -> MailTransport | None:
    """Carry the server's mail in place of the configured SMTP server. Only one plugin may answer.

    Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=MediaBackend)
def contribute_storage_backends() -> Sequence[MediaBackend] | None:
    """Add places where media can be kept; the configuration names the one in use.

    A read or write that fails is answered with 503. Order, blocking and failure: as this family. Since 0.1.
    """
    return None


@spec(Kind.CONTRIBUTE, Sequence, failure=Failure.STOP, seconds=None, of=UnsignedFields)
def contribute_unsigned_fields() -> Sequence[UnsignedFields] | None:
    """Add fields to the `unsigned` of events in answers to clients.

    Fields whose composing fails are left out, and those whose names were not declared. A name that is the
    specification's or another plugin's stops the start. Order, blocking and failure: as this family. Since 0.1.
    """
    return None
