"""Opening one connection: resolve, refuse what is closed, connect to the address that was looked at, TLS, proxy."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from core.errors import MatrixError
from core.outbound.addresses import AddressRules, find_address
from core.outbound.failures import AddressRefused, CertificateRefused, NotConnected, TookTooLong
from core.outbound.names import Names
from core.outbound.proxies import Proxies, Proxy
from core.outbound.trust import Trust

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

CONNECT_SECONDS = 15.0
"""How long connecting to the last address may take, and the TLS handshake."""
EARLIER_CONNECT_SECONDS = 4.0
"""How long each address before the last one is tried."""
MAX_ADDRESSES = 4
"""How many addresses of a name are tried."""

Connection: TypeAlias = "HTTPConnection"
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect. Connections are kept and shared by equal endpoints.

    `host` is a name or an address, without brackets; `tls_name` is whom the certificate must name and SNI asks for,
    None for a connection without TLS. Only what the administrator named is not `is_guarded`: it may lie anywhere.
    `rules`, where given, are asked in place of the connector's own.
    """

    host: str
    port: int
    tls_name: str | None
    is_guarded: bool = True
    rules: AddressRules | None = None


class Connector:
    """Opens connections."""

    def __init__(self, names: Names, rules: AddressRules, trust: Trust, proxies: Proxies) -> None:
        self._names = names
        self._rules = rules
        self._trust = trust
        self._proxies = proxies

    def proxy_for(self, endpoint: Endpoint) -> Proxy | None:
        """The proxy the endpoint is reached through."""
        return self._proxies.find(endpoint.host, endpoint.tls_name is not None)

    def connect(self, endpoint: Endpoint) -> Connection:
        """A connection, its handshake done. Raises NoAnswer, AddressRefused, and OSError of NO_DESCRIPTORS."""
        proxy = self.proxy_for(endpoint)
        if proxy is not None and endpoint.is_guarded and find_address(endpoint.host) is not None:
            self._refuse_closed(endpoint, [endpoint.host])  # a name is resolved by the proxy, at its own risk
        connection = self._connection(endpoint, proxy)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            found = _failure(error, endpoint)
            if found is error:
                raise
            raise found from error
        connection.auto_open = 0
        return connection

    def _connection(self, endpoint: Endpoint, proxy: Proxy | None) -> Connection:
        host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
        guarded = endpoint if endpoint.is_guarded and proxy is None else None
        from core.outbound.dialing import PlainConnection, TlsConnection  # loaded with the first connection

        def dial() -> socket.socket:
            return self._dial(host, port, guarded)

        if endpoint.tls_name is None:
            return PlainConnection(host, port, dial=dial)
        context = self._trust.context(self._trust.verifies(endpoint.tls_name))
        connection = TlsConnection(host, port, dial=dial, ssl_context=context, server_hostname=endpoint.tls_name)
        if proxy is not None:
            connection.set_tunnel(endpoint.host, endpoint.port, headers=proxy.headers)
        return connection

    def _dial(self, host: str, port: int, guarded: Endpoint | None) -> socket.socket:
        addresses = list(self._names.addresses(host))
        if guarded is not None:
            addresses = self._refuse_closed(guarded, addresses)
        tried = addresses[:MAX_ADDRESSES]
        failure: OSError | None = None
        for address in tried:
            seconds = CONNECT_SECONDS if address is tried[-1] else EARLIER_CONNECT_SECONDS
            try:
                return _open(address, port, seconds)
            except OSError as error:
                if error.errno in NO_DESCRIPTORS:
                    raise
                failure = error
        reason = _reason(failure) if failure is not None else "the name has no addresses"
        raise NotConnected(f"No connection to {_where(host, port)}: {reason}.") from failure

    def _refuse_closed(self, endpoint: Endpoint, addresses: list[str]) -> list[str]:
        """Those that may be connected to."""
        rules = endpoint.rules or self._rules
        left = [address for address in addresses if not rules.refuses(address)]
        if addresses and not left:
            raise AddressRefused(f"{endpoint.host} is at an address that this server does not connect to.")
        return left


def _open(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(seconds)
        opened.connect((address, port))
    except BaseException:
        opened.close()
        raise
    opened.settimeout(CONNECT_SECONDS)
    return opened


def _failure(error: BaseException, endpoint: Endpoint) -> BaseException:
    """What is raised for an error of the library or the system; the error itself where it says enough."""
    from urllib3.exceptions import HTTPError

    where = _where(endpoint.host, endpoint.port)
    reason = error.args[-1] if isinstance(error, HTTPError) and isinstance(error.args[-1:], tuple) else error
    inner = error.__cause__ if isinstance(error, HTTPError) and error.__cause__ is not None else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return CertificateRefused(
            f"The certificate at {where} is not good for {endpoint.tls_name}: {_verification_words(inner)}."
        )
    if isinstance(inner, ssl.SSLError):
        return NotConnected(f"No TLS with {where}: {inner.reason or inner.strerror or 'the handshake failed'}.")
    if isinstance(inner, TimeoutError):
        return TookTooLong(f"{where} did not complete the connection in time.")
    if isinstance(inner, OSError) and inner.errno in NO_DESCRIPTORS:
        return inner
    if isinstance(inner, (OSError, http.client.HTTPException, HTTPError, ValueError)):
        return NotConnected(f"No connection to {where}: {_reason(inner) if isinstance(inner, OSError) else reason}.")
    if isinstance(error, MatrixError):
        return error
    return error


def _verification_words(error: ssl.SSLCertVerificationError) -> str:
    return str(error.verify_message or error).rstrip(".")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "nothing answered in time"
    return str(error.strerror or error).rstrip(".")


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def now() -> float:
    """The clock by which connections age, in seconds."""
    return time.monotonic()
