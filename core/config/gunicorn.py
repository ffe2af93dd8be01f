"""gunicorn's settings, taken from `homeserver.yaml`: sockets, limits, and the worker behind the name `gevent`.

gunicorn.conf.py and `hsctl serve` both use this. It runs in gunicorn's master before gevent has patched anything, so
it imports nothing that touches sockets or TLS.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from typing import Any, NoReturn

from core.config.checks import one_worker_only
from core.config.first_start import prepare
from core.config.loader import load_config
from core.config.model import Config
from core.config.open_files import for_clients
from core.config.problems import ConfigError

WORKER = "core.web.late_worker.LateWorker"
EXIT_CODE = 2
_USEFUL_FILES = 131_072


def settings_or_exit() -> dict[str, Any]:
    """What gunicorn.conf.py contains. A mistake in the configuration ends the process with sentences, exit code 2."""
    try:
        return settings(prepare(load_config()))
    except ConfigError as error:
        give_up(error)


def give_up(error: ConfigError) -> NoReturn:
    """Say what is wrong and end the process."""
    print(*error.sentences, sep="\n", file=sys.stderr, flush=True)
    sys.exit(EXIT_CODE)


def settings(config: Config) -> dict[str, Any]:
    """gunicorn's settings by name, hooks included; raises the limit on open files as a side effect.

    gunicorn looks the worker up in SUPPORTED_WORKERS, so `-k gevent` on its command line means ours as well.
    """
    from gunicorn import workers

    workers.SUPPORTED_WORKERS["gevent"] = WORKER
    os.environ.setdefault("GEVENT_RESOLVER", "ares,block")
    http = config.workers
    return {
        "bind": [bind for listener in config.listeners.listeners for bind in listener.binds()],
        "worker_class": "gevent",
        "workers": http.count,
        "worker_connections": min(http.worker_connections, for_clients(_raise_open_files(config))),
        "keepalive": max(http.keepalive // 1000, 1),
        "timeout": 60,
        "graceful_timeout": max(http.graceful_timeout // 1000, 1),
        "backlog": http.backlog,
        "reuse_port": http.reuse_port,
        "limit_request_line": 8190,
        "limit_request_fields": http.max_header_fields,
        "limit_request_field_size": http.max_header_size,
        "control_socket_disable": True,
        "preload_app": False,
        "accesslog": None,
        "loglevel": "warning",
        "pidfile": config.server.pid_file,
        "proc_name": config.server_name,
        "default_proc_name": "core.wsgi",
        "wsgi_app": "core.wsgi",
        # who may speak for a client is said per listener (x_forwarded), not by address
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "sendfile": False,
        **_hooks(config),
    }


def _raise_open_files(config: Config) -> int:
    """Raise the soft limit on open files; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = config.server.soft_file_limit or _USEFUL_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _USEFUL_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _hooks(config: Config) -> dict[str, Any]:
    """gunicorn's server hooks."""

    def pre_fork(server: Any, worker: Any) -> None:
        gc.collect()
        gc.freeze()  # collections in the worker do not touch these pages, so both processes go on sharing them

    def on_starting(server: Any) -> None:
        from core.config.sockets import refuse_bad_certificate, refuse_taken

        try:
            refuse_bad_certificate(config)
            refuse_taken(server.address, config)
            if server.cfg.workers > 1:  # said on the command line
                raise ConfigError(one_worker_only(server.cfg.workers))
        except ConfigError as error:
            give_up(error)
        server.handle_hup = _checked(server, server.handle_hup)

    def when_ready(server: Any) -> None:
        _set_modes(config)

    def nworkers_changed(server: Any, new: int, old: int | None) -> None:
        if old is not None and new > 1:
            server._num_workers = old

    def post_fork(server: Any, worker: Any) -> None:
        from core.config.sockets import describe

        if (load := getattr(worker, "load", None)) is not None:  # ours; gunicorn's own workers have none
            load()
        worker.config = config
        describe(worker, server.cfg.address, config)

    return {
        "on_starting": on_starting,
        "pre_fork": pre_fork,
        "when_ready": when_ready,
        "on_reload": when_ready,
        "nworkers_changed": nworkers_changed,
        "post_fork": post_fork,
    }


def _checked(server: Any, reload: Any) -> Any:
    """A reload that is refused, with the reasons logged, where the new configuration is wrong."""

    from core.config.sockets import refuse_bad_certificate

    def handle_hup() -> None:
        try:
            refuse_bad_certificate(prepare(load_config()))
        except ConfigError as error:
            for sentence in error.sentences:
                server.log.error("%s", sentence)
            server.log.error("Not reloaded; the old configuration stays in force.")
            return
        reload()

    return handle_hup


def _set_modes(config: Config) -> None:
    """Give Unix sockets the mode their listener asks for."""
    for listener in config.listeners.listeners:
        if listener.path is not None and os.path.exists(listener.path):
            os.chmod(listener.path, listener.mode)
