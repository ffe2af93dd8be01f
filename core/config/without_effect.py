"""Settings of Synapse's that this release knows and checks, and that change nothing yet.

Whoever sets one is told so at start and by `hsctl config check`: a limit that silently does not hold is worse than one that
is missing. A test keeps the list to what nothing reads; the change that brings a setting to life takes it out.
"""

from __future__ import annotations

WITHOUT_EFFECT = frozenset(
    (
        "experimental_features",
        "oidc_providers",
        "sso",
        "cas_config",
        "saml2_config",
        "jwt_config",
        "matrix_authentication_service",
        "federation_metrics_domains",
        "stats.enabled",
        "statistics_window",
        "app_service_config_files",
        "track_appservice_user_ips",
        "use_appservice_legacy_authorization",
        "redis.enabled",
        "redis.host",
        "redis.port",
        "redis.username",
        "redis.password",
        "redis.dbid",
        "redis.use_tls",
        "redis.certificate_file",
        "redis.private_key_file",
        "redis.ca_file",
        "redis.path",
    )
)
"""Their dotted keys."""
