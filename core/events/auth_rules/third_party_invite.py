"""Third-party invites: an identity server's signature stands in for the inviter's presence.

Part .1 of the rules for invites. Signature checks are bounded: an attacker could otherwise make one event cost
hundreds of thousands of them.
Spec: Server-Server API, "Verifying the invite".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nacl.signing import VerifyKey

from core.errors import AuthRuleViolation, EventRefused
from core.events.auth_rules.membership import membership_of
from core.events.auth_rules.numbering import Membership, broken_membership
from core.events.event import Event
from core.events.limits import MAX_THIRD_PARTY_CHECKS
from core.events.signatures import is_signed_by, parse_verify_key, signatures_of, signed_bytes

State = Callable[[str, str], Event | None]


def check_third_party_invite(event: Event, target: str, state: State) -> None:
    """Check an invite that carries `third_party_invite`. Raises AuthRuleViolation."""
    if membership_of(state, target) == "ban":  # 1
        raise _broken(event, 1, f"{target} is banned.")
    invite = event.content["third_party_invite"]
    signed = invite.get("signed") if isinstance(invite, dict) else None
    if not isinstance(signed, dict):  # 2
        raise _broken(event, 2, "`third_party_invite` must have an object `signed`.")
    mxid, token = signed.get("mxid"), signed.get("token")
    if not isinstance(mxid, str) or not isinstance(token, str):  # 3
        raise _broken(event, 3, "`signed` must have the strings `mxid` and `token`.")
    if mxid != target:  # 4
        raise _broken(event, 4, "`mxid` is not the user invited.")
    offered = state("m.room.third_party_invite", token)
    if offered is None:  # 5
        raise _broken(event, 5, "The room has no third-party invite with this token.")
    if offered.sender != event.sender:  # 6
        raise _broken(event, 6, f"The third-party invite was sent by {offered.sender}.")
    if not _is_vouched_for(signed, offered.content):  # 7
        raise _broken(event, 8, "No key of the third-party invite has signed this.")


def _is_vouched_for(signed: Mapping[str, Any], offered: Mapping[str, Any]) -> bool:
    """7: whether any signature in `signed` is that of any public key offered, within `MAX_THIRD_PARTY_CHECKS` tries."""
    signatures = sorted({text for text in _signatures(signed) if len(text) <= 100})
    if not signatures:
        return False
    try:
        message = signed_bytes(signed)
    except EventRefused:
        return False
    tries = 0
    for key in _public_keys(offered):
        for signature in signatures:
            tries += 1
            if tries > MAX_THIRD_PARTY_CHECKS:
                return False
            if is_signed_by(message, signature, key):
                return True
    return False


def _signatures(signed: Mapping[str, Any]) -> Iterator[str]:
    by_server = signed.get("signatures")
    for server in by_server if isinstance(by_server, dict) else ():
        yield from signatures_of(signed, server).values()


def _public_keys(offered: Mapping[str, Any]) -> Iterator[VerifyKey]:
    """7.1 and 7.2: `public_key` itself, and those in `public_keys`; what is no key is passed over."""
    candidates = [offered.get("public_key")]
    listed = offered.get("public_keys")
    if isinstance(listed, list):
        candidates += [entry.get("public_key") for entry in listed if isinstance(entry, dict)]
    for text in candidates:
        if not isinstance(text, str):
            continue
        try:
            yield parse_verify_key(text)
        except ValueError:
            continue


def _broken(event: Event, part: int, sentence: str) -> AuthRuleViolation:
    return broken_membership(event.version, Membership.INVITE, f"1.{part}", sentence)
