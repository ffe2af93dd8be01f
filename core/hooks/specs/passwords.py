"""Hooks that decide who somebody is: stored passwords, other providers of accounts, other login types.

A login with a password goes in this order. `check_password` is put to the plugins, for accounts that live elsewhere
(LDAP, a user table of another program). If none of them answers, the stored hash is put to `verify_password`, with
None for the hash where there is no such account or it has no password, so that both cases take the same time. A new
password goes through `hash_password` and its answer is stored. Nothing here is cached. All of them fail closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.hooks.markers import Failure, Kind, spec
from core.hooks.verdicts import PasswordAccepted, PasswordRefused, PasswordVerdict, Reject
from core.ids import UserId


@spec(Kind.ASK, PasswordAccepted, PasswordRefused, failure=Failure.CLOSED, seconds=10.0)
def check_password(user_id: UserId, password: str) -> PasswordVerdict | None:
    """Check a password against accounts kept elsewhere, at login and wherever a password is asked for again.

    `user_id` is what the client typed, made a full id of this server; it need not exist here. Return None if the
    account is not yours, `PASSWORD_REFUSED`, or `PasswordAccepted(user_id)`; the first answer wins, and with any
    answer the stored hash is not looked at. May block on the network. If it raises or runs out of time the login is
    refused with 503. Since 0.1.
    """
    return None


@spec(Kind.ASK, str, Reject, failure=Failure.CLOSED, seconds=10.0)
def hash_password(password: str) -> str | Reject | None:
    """Make what is stored for a new password, after the server's own password policy is satisfied.

    Return the hash as text of up to 255 characters, `Reject(errcode, reason)` for a password that cannot be stored,
    or None to leave it to the next plugin; the first answer wins. May block, off the hub only: use a thread pool. If
    it fails the password is not set, with 503. Since 0.1.
    """
    return None


@spec(Kind.ASK, bool, failure=Failure.CLOSED, seconds=10.0)
def verify_password(stored_hash: str | None, password: str) -> bool | None:
    """Check a password against a stored hash, or do as much work for None and answer False.

    Return True or False, or None if the hash is not of your kind (never for a None hash, if you can help it); the
    first answer wins, and without any the password is wrong. May block, off the hub only. If it fails the login is
    refused with 503. Since 0.1.
    """
    return None


@spec(Kind.ASK, PasswordAccepted, PasswordRefused, failure=Failure.CLOSED, seconds=10.0)
def check_login_type(login_type: str, user: str, fields: Mapping[str, Any]) -> PasswordVerdict | None:
    """Check a login of a type contributed with `contribute_login_types`.

    `user` is the identifier as the client gave it, `fields` the declared fields of its request. Return None if the
    type is not yours, `PASSWORD_REFUSED`, or `PasswordAccepted(user_id)`; the first answer wins, and without any the
    login is refused. May block on the network. If it fails the login is refused with 503. Since 0.1.
    """
    return None


@spec(Kind.ASK, bool, failure=Failure.CLOSED)
def is_user_expired(user_id: UserId) -> bool | None:
    """Say whether an account has expired, before each request with a token of it; answers are kept for a minute.

    Return True to answer the request with M_USER_ACCOUNT_EXPIRED, False to let it through, None to leave it to the
    next plugin; the first answer wins. Must not block for long: it is in the way of every client. If it fails the
    request is answered with 503. Since 0.1.
    """
    return None


@spec(Kind.ASK, str)
def username_for_registration(stages: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """Choose the localpart of an account about to be made, from what the stages of authentication remembered.

    `request` is the body of /register without its password. Return a localpart, or None to leave it to the next
    plugin or to what the client asked for; the first answer wins. May block. If it fails it is ignored. Since 0.1.
    """
    return None


@spec(Kind.ASK, str)
def displayname_for_registration(stages: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """Choose the first display name of an account about to be made; arguments as `username_for_registration`.

    Return a display name, or None to leave it to the next plugin or to the localpart; the first answer wins. May
    block. If it fails it is ignored. Since 0.1.
    """
    return None
