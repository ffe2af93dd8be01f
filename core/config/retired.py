"""Keys of Synapse's configuration that mean nothing here: accepted, with the reason said once at start or silently."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WORKERS = "one process does every job here"
_REFUSED = "this server has no such feature"
_SIZED = "caches have a size and drop what was not used for longest"

IGNORED: Mapping[str, str] = MappingProxyType(
    {
        "daemonize": "run the server under systemd or another supervisor",
        "manhole_settings": _REFUSED,
        "worker_app": _WORKERS,
        "worker_name": _WORKERS,
        "worker_listeners": _WORKERS,
        "worker_manhole": _REFUSED,
        "worker_daemonize": _WORKERS,
        "worker_pid_file": _WORKERS,
        "worker_log_config": "use log_config",
        "worker_replication_host": _WORKERS,
        "worker_replication_http_port": _WORKERS,
        "worker_replication_secret": _WORKERS,
        "start_pushers": _WORKERS,
        "pusher_instances": _WORKERS,
        "send_federation": _WORKERS,
        "federation_sender_instances": _WORKERS,
        "outbound_federation_restricted_to": _WORKERS,
        "instance_map": _WORKERS,
        "stream_writers": _WORKERS,
        "run_background_tasks_on": _WORKERS,
        "update_user_directory_from_worker": _WORKERS,
        "notify_appservices_from_worker": _WORKERS,
        "media_instance_running_background_jobs": _WORKERS,
        "enable_local_media_storage": "media storage is a plugin; see media_backend",
        "media_storage_providers": "media storage is a plugin; see media_backend",
        "gc_min_interval": "the collector runs by gc_thresholds alone",
        "server_context": "it named a server in its reports home, and this one makes none",
        "background_updates": "old data is changed by the migrations, at start",
        "caches.expire_caches": _SIZED,
        "caches.cache_entry_ttl": _SIZED,
        "caches.cache_autotuning": _SIZED,
        "caches.expiry_time": _SIZED,
        "caches.sync_response_cache_duration": "a repeated request is answered anew, and loses nothing",
        "database.txn_limit": "connections are kept for as long as they work",
        "databases": "one database holds everything; use `database`",
        "sentry": "use a plugin",
        "opentracing": "use a plugin",
        "report_stats_endpoint": "this server never reports home",
        "limit_usage_by_mau": _REFUSED,
        "max_mau_value": _REFUSED,
        "mau_trial_days": _REFUSED,
        "mau_appservice_trial_days": _REFUSED,
        "mau_stats_only": _REFUSED,
        "mau_limit_alerting": _REFUSED,
        "mau_limit_reserved_threepids": _REFUSED,
        "redaction_retention_period": "what is redacted is removed at once",
        "dummy_events_threshold": "events of our own merge up to ten forward extremities whenever one is sent",
        "tls_fingerprints": "nothing asks for them any more",
        "enable_group_creation": "groups were replaced by spaces",
        "uploads_path": "uploads are kept in media_store_path",
        "expire_access_token": "use session_lifetime",
        "use_insecure_ssl_client_just_for_testing_do_not_use": "use federation_verify_certificates",
    }
)
"""Key to why it is ignored."""
