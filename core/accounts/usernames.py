"""Names of accounts: their grammar, those kept back, and how what somebody typed becomes a user id of ours.

New names are lower case, so what is typed at login or registration is folded. Spec: Appendices, "User Identifiers".
"""

from __future__ import annotations

from core.errors import BadRequest
from core.ids import MAX_ID_BYTES, ServerName, UserId, is_local_user_localpart


class InvalidUsername(BadRequest):
    """The name cannot be given to an account."""

    errcode = "M_INVALID_USERNAME"


class UserInUse(BadRequest):
    """The name is taken."""

    errcode = "M_USER_IN_USE"


def check_localpart(
    localpart: str, server_name: ServerName, is_guest: bool = False, is_bridged: bool = False
) -> UserId:
    """The user id that an account of this localpart would have; guests and bridged users have names of their own.

    Raises: `InvalidUsername`.
    """
    if not localpart:
        raise InvalidUsername("A user name must not be empty.")
    if not is_local_user_localpart(localpart):
        raise InvalidUsername("A user name may contain only the letters a-z, digits and the characters . _ = - / +")
    if localpart[0] == "_" and not is_bridged:
        raise InvalidUsername("A user name must not begin with an underscore: such names are kept for bridges.")
    if localpart.isdigit() and not is_guest and not is_bridged:
        raise InvalidUsername("A user name must not consist of digits only: such names are kept for guests.")
    user_id = f"@{localpart}:{server_name}"
    if len(user_id) > MAX_ID_BYTES:
        most = MAX_ID_BYTES - len(server_name) - 2
        raise InvalidUsername(f"A user name must not be longer than {most} characters on this server.")
    return UserId(user_id)


def typed_user_id(typed: str, server_name: ServerName) -> UserId:
    """The user id meant by a localpart or a full id, in any case; it need not exist, nor be well-formed."""
    if typed.startswith("@") and ":" in typed:
        localpart, _, server = typed[1:].partition(":")
        return UserId(f"@{localpart.lower()}:{server}") if server == server_name else UserId(typed)
    return UserId(f"@{typed.removeprefix('@').lower()}:{server_name}")
