"""Who this server is and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import base_url, boolean, duration_ms, integer, list_of, mapping, path, text
from core.config.settings import setting
from core.ids import is_server_name


def server_name(value: Any) -> str:
    """A server name. Spec: Appendices, "Server Name"."""
    if not isinstance(value, str) or not is_server_name(value):
        raise ValueError("a domain name or IP address with an optional port, such as example.com, without https://")
    return value


def three_numbers(value: Any) -> tuple[int, ...]:
    """Thresholds of the garbage collector, one for each generation."""
    if not isinstance(value, list) or len(value) != 3 or not all(type(one) is int and one >= 0 for one in value):
        raise ValueError("a list of three whole numbers")
    return tuple(value)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Name, public address, folders and general limits of the server."""

    server_name: str = setting(
        "localhost",
        server_name,
        "The domain in this server's user ids and room aliases: @alice:example.com. It can never be changed later. "
        "A config file must name it; without a config file it is localhost.",
    )
    data_dir: str = setting(
        "data",
        path,
        "Folder for what the server makes itself: database, keys, secrets, media, log. Made at first start.",
    )
    public_baseurl: str | None = setting(
        None,
        base_url,
        "The address clients reach the server at, as seen from outside. Unset, it is https:// and the server name.",
        example="https://matrix.example.com/",
    )
    serve_server_wellknown: bool = setting(
        False, boolean, "Answer /.well-known/matrix/server, pointing other servers at this one on port 443."
    )
    extra_well_known_client_content: Mapping[str, Any] = setting(
        {}, mapping, "Extra keys for the answer of /.well-known/matrix/client."
    )
    web_client_location: str | None = setting(
        None, text, "URL of a web client that the root page redirects to.", example="https://app.element.io/"
    )
    admin_contact: str | None = setting(
        None, text, "How to reach the administrator; shown to users in some errors.", example="mailto:admin@example.com"
    )
    support_contacts: tuple[Mapping[str, Any], ...] = setting(
        [], list_of(mapping), "Contacts for /.well-known/matrix/support, as the specification shapes them."
    )
    support_page: str | None = setting(None, text, "Support page for /.well-known/matrix/support.")
    pid_file: str | None = setting(None, path, "File the process id is written to.", example="/run/homeserver.pid")
    soft_file_limit: int = setting(
        0, integer(), "Open files allowed to the server; 0 raises it to the hard limit, as far as is useful."
    )
    gc_thresholds: tuple[int, ...] | None = setting(
        None, three_numbers, "Python's garbage collection thresholds, three numbers.", example=[700, 10, 10]
    )
    filter_timeline_limit: int = setting(
        100, integer(-1), "Most events of one room that a filter may ask for; -1 for no limit."
    )
    user_ips_max_age: int | None = setting(
        "28d", duration_ms, "How long addresses of users are remembered; null keeps them.", nullable=True
    )
    report_stats: bool = setting(False, boolean, "Accepted for compatibility. This server never reports home.")
    enable_metrics: bool = setting(
        False, boolean, "Collect Prometheus metrics; add a listener with the resource `metrics` to serve them."
    )
    metrics_flags: Mapping[str, Any] = setting({}, mapping, "Extra metrics, such as known_servers: true.")
    hs_disabled: bool = setting(
        False,
        boolean,
        "Let nobody act, sync, sign in or register, administrators apart; they are told hs_disabled_message.",
    )
    hs_disabled_message: str = setting("", text, "What users are told while hs_disabled is on.")
    custom_template_directory: str | None = setting(
        None, path, "Folder whose templates replace those built in.", key="templates.custom_template_directory"
    )
    experimental_features: Mapping[str, Any] = setting(
        {}, mapping, "Switches for features not in the specification yet, such as msc4108_enabled."
    )
