"""Rate limits, under Synapse's names and with its defaults."""

# ruff: noqa: RUF009 - setting() makes a dataclass field, which the rule cannot see
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config.parsers import Rate, integer, number, rate, size_bytes
from core.config.settings import setting


def _rate(per_second: float, burst_count: int, help: str, key: str | None = None) -> Any:
    default = {"per_second": per_second, "burst_count": burst_count}
    return setting(default, rate(per_second, burst_count), f"{help} Takes per_second and burst_count.", key=key)


@dataclass(frozen=True, slots=True)
class RatelimitsConfig:
    """How much each client, address, room or server may ask for."""

    rc_message: Rate = _rate(0.2, 10, "Messages a client may send.")
    rc_registration: Rate = _rate(0.17, 3, "Registrations from one address.")
    rc_registration_token_validity: Rate = _rate(0.1, 5, "Checks of registration tokens from one address.")
    rc_login_address: Rate = _rate(0.003, 5, "Logins from one address.", "rc_login.address")
    rc_login_account: Rate = _rate(0.003, 5, "Logins to one account.", "rc_login.account")
    rc_login_failed_attempts: Rate = _rate(0.17, 3, "Failed logins to one account.", "rc_login.failed_attempts")
    rc_admin_redaction: Rate | None = setting(
        None,
        rate(0.2, 10),
        "Redactions by room administrators; unset, rc_message counts. Takes per_second and burst_count.",
    )
    rc_joins_local: Rate = _rate(0.1, 10, "Joins of rooms this server is in.", "rc_joins.local")
    rc_joins_remote: Rate = _rate(0.01, 10, "Joins of rooms this server is not in yet.", "rc_joins.remote")
    rc_joins_per_room: Rate = _rate(1, 10, "Joins of one room.")
    rc_3pid_validation: Rate = _rate(0.003, 5, "Requests to validate an email address or phone number.")
    rc_invites_per_room: Rate = _rate(0.3, 10, "Invites into one room.", "rc_invites.per_room")
    rc_invites_per_user: Rate = _rate(0.003, 5, "Invites to one user.", "rc_invites.per_user")
    rc_invites_per_issuer: Rate = _rate(0.3, 10, "Invites by one user.", "rc_invites.per_issuer")
    rc_third_party_invite: Rate = _rate(0.2, 10, "Invites by email or phone number.")
    rc_media_create: Rate = _rate(10, 50, "Media ids reserved before uploading.")
    rc_url_preview: Rate = _rate(2, 50, "Links one user may have visited for previews.")
    rc_key_requests: Rate = _rate(20, 100, "Requests for other users' encryption keys by one device.")
    rc_presence_per_user: Rate = _rate(0.1, 1, "Changes of one user's presence.", "rc_presence.per_user")
    rc_delayed_event_mgmt: Rate = _rate(1, 5, "Changes to delayed events by one user.")
    rc_reports: Rate = _rate(1, 5, "Reports of events, rooms and users by one user.")
    rc_room_creation: Rate = _rate(0.016, 10, "Rooms created by one user.")
    rc_user_directory: Rate = _rate(0.016, 200, "Searches of the user directory by one user.")
    rc_federation_window_size: int = setting(
        1000,
        integer(1),
        "Window in milliseconds over which a server's requests are counted.",
        key="rc_federation.window_size",
    )
    rc_federation_sleep_limit: int = setting(
        10,
        integer(),
        "Requests of one server in the window before further ones are delayed.",
        key="rc_federation.sleep_limit",
    )
    rc_federation_sleep_delay: int = setting(
        500, integer(), "Milliseconds by which they are delayed.", key="rc_federation.sleep_delay"
    )
    rc_federation_reject_limit: int = setting(
        50,
        integer(1),
        "Delayed requests of one server before further ones are refused.",
        key="rc_federation.reject_limit",
    )
    rc_federation_concurrent: int = setting(
        3, integer(1), "Requests of one server handled at once.", key="rc_federation.concurrent"
    )
    federation_rr_transactions_per_room_per_second: float = setting(
        50, number(), "Accepted for compatibility; of receipts only the latest are sent."
    )
    remote_media_download_per_second: int = setting(
        "87K", size_bytes, "Bytes a second that users may fetch of other servers' media."
    )
    remote_media_download_burst_count: int = setting("500M", size_bytes, "Bytes they may fetch at once.")
