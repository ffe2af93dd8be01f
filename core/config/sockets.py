"""Listening sockets as gunicorn's master and workers see them: taken addresses, names, TLS.

Imported by the hooks, after gunicorn has loaded sockets itself.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from core.config.model import Config
from core.config.problems import ConfigError


def refuse_taken(addresses: Any, config: Config) -> None:
    """Raise ConfigError for an address that cannot be listened on; gunicorn itself would try for five seconds.

    Nothing is tried where sockets are inherited, from systemd or from a server that replaces itself.
    """
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ or config.workers.reuse_port:
        return
    problems = []
    for address in addresses:
        problem = _tcp_problem(address) if isinstance(address, tuple) else _unix_problem(address)
        if problem:
            problems.append(problem)
    if problems:
        raise ConfigError(*problems)


def refuse_bad_certificate(config: Config) -> None:
    """Raise ConfigError where a listener speaks TLS and certificate and key cannot be used."""
    import ssl  # only where it is needed

    certificate, key = config.listeners.tls_certificate_path, config.listeners.tls_private_key_path
    if certificate is None or key is None or not any(listener.tls for listener in config.listeners.listeners):
        return
    for setting, path in (("tls_certificate_path", certificate), ("tls_private_key_path", key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise ConfigError(f"{setting}: {path} cannot be read: {error.strerror}.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"tls_certificate_path: {certificate} and {key} are no certificate in PEM form and its key: {error}."
        ) from error


def describe(worker: Any, addresses: Any, config: Config) -> None:
    """Tell a worker the names of its sockets, which of them speak TLS, and its patience with clients."""
    from core.config.workers import patience

    worker.listener_names = tuple(name_of(address) for address in addresses)
    worker.tls_listeners = frozenset(
        name
        for listener in config.listeners.listeners
        if listener.tls
        for name in (
            [listener.path] if listener.path else [f"{host}:{listener.port}" for host in listener.bind_addresses]
        )
    )
    if worker.tls_listeners:
        worker.certificate = (config.listeners.tls_certificate_path, config.listeners.tls_private_key_path)
    worker.timeouts = patience(config.workers, type(worker.timeouts))


def name_of(address: Any) -> str:
    """The name of a listener: `host:port` as bound, or the path of a Unix socket."""
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


def _tcp_problem(address: tuple[str, int]) -> str | None:
    host, port = address[0], address[1]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        reason = error.strerror or str(error)
        return f"listeners: {host} port {port} cannot be listened on: {reason}."
    return None


def _unix_problem(path: str) -> str | None:
    if path.startswith("\0"):
        return None
    folder = os.path.dirname(path) or "."
    if not os.access(folder, os.W_OK):
        return f"listeners: the folder {folder} of the Unix socket does not exist or is not writable."
    if not os.path.exists(path):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
    except ConnectionRefusedError:
        return None  # left behind by a server that was killed; gunicorn replaces it
    except OSError as error:
        return f"listeners: {path} cannot be listened on: {error.strerror or error}."
    return f"listeners: {path} is in use by a running server."
