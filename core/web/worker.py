"""The gunicorn worker: gevent's, with TLS decided per socket, the short request loop and an orderly end.

gunicorn.conf.py puts it behind the name `gevent`. The application it loads may have a life cycle (`HasLife`); it is
started before the first connection is accepted and closed after the last request, so that of two workers at a reload
only one ever owns the data while the listening socket queues.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from typing import Any, Protocol, runtime_checkable

import gevent
import gevent.select
from gevent import monkey
from gevent.threadpool import ThreadPool
from gunicorn.workers.ggevent import GeventWorker

from core.web.connections import Connections, ConnectionServer
from core.web.refusal import refuse
from core.web.request_loop import RequestLoop, Timeouts

BOOT_FAILED = 3
"""gunicorn's exit code for a worker that cannot start; the master then stops."""

_CLOSE_S = 1.5
"""Of the graceful timeout, what is kept back for closing the application."""


_BEAT_S, _PATIENCE_S = 0.25, 3.0
_STILL_STARTING = (
    b"Still starting: the database is being migrated, or the server before this one is still letting go of it.\n"
)


@runtime_checkable
class HasLife(Protocol):
    """An application that is more than a WSGI callable."""

    def start(self, worker: Any) -> Any:
        """Become ready and return the WSGI callable; may wait for another process to let go of the data."""

    def stop_waiting(self) -> None:
        """End long-polls with what they have."""

    def close(self) -> None:
        """Let go of everything; no request comes any more."""


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn has no types
    """Serves the configured listeners until told to stop.

    The hooks of core.config.gunicorn leave on it: `timeouts`, `listener_names` (the name of each socket, in order),
    `tls_of` (name to ssl context factory), and `config`, which the application reads.
    """

    config: Any = None
    wsgi: Any
    alive: bool
    timeouts: Timeouts = Timeouts()
    listener_names: tuple[str, ...] = ()
    tls_listeners: frozenset[str] = frozenset()
    certificate: tuple[str, str] | None = None
    life: HasLife | None = None
    _context: ssl.SSLContext | None = None

    def load_wsgi(self) -> None:
        """Load the application and start it, telling the master all the while that this process lives."""
        with self._heartbeat():
            try:
                super().load_wsgi()
                if isinstance(self.wsgi, HasLife):
                    self.life = self.wsgi
                    self.wsgi = self.life.start(self)
                self._context = self._tls_context()
            except Exception as error:
                sentence = reason_not_to_start(error)
                if sentence is None:
                    raise
                print(sentence, file=sys.stderr, flush=True)
                sys.exit(BOOT_FAILED)

    def run(self) -> None:
        """Accept connections until a signal, then finish what runs, and close the application."""
        loops, servers = self._listen()
        while self.alive:
            self.notify()
            for loop in loops:
                loop.close_idle(self.timeouts.keepalive)
            self._sleep(1.0)
        self._end(loops, servers)

    def count_request(self) -> None:
        """One more request; after `max_requests` the worker stops, and the master makes a new one."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Worker ends after %d requests.", self.nr)
            self.alive = False

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: stop as on SIGTERM, but cut running requests short."""
        self.timeouts = Timeouts(0.0, 0.0, 0.0, 0.0)
        self.alive = False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be served, in Matrix form, and log why."""
        refuse(lambda answering: super(Worker, self).handle_error(req, answering, addr, exc), client)

    def _listen(self) -> tuple[list[RequestLoop], list[ConnectionServer]]:
        loops, servers = [], []
        connections = Connections(self.worker_connections)
        for position, listening in enumerate(self.sockets):
            listening.setblocking(1)
            sockname = listening.getsockname()
            name = self._name_of(position, sockname)
            loop = RequestLoop(
                self,
                name,
                sockname,
                tls=name in self.tls_listeners or self.cfg.is_ssl,
                timeouts=self.timeouts,
                go_on=connections.go_on,
            )
            handle = self._tls_handler(loop, self._context) if loop.tls else loop.serve
            server = ConnectionServer(listening, handle=handle, spawn=connections)
            if self.cfg.workers > 1:
                server.max_accept = 1
            server.start()
            loops.append(loop)
            servers.append(server)
        return loops, servers

    def _name_of(self, position: int, sockname: Any) -> str:
        if len(self.listener_names) == len(self.sockets):
            return self.listener_names[position]
        if isinstance(sockname, tuple):
            return f"{sockname[0]}:{sockname[1]}"
        return os.fsdecode(sockname)

    def _tls_context(self) -> ssl.SSLContext | None:
        """The one context of all TLS listeners."""
        from gunicorn.sock import ssl_context

        if self.cfg.is_ssl:
            own: ssl.SSLContext = ssl_context(self.cfg)
            return own
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self.certificate)
        return context

    def _tls_handler(self, loop: RequestLoop, context: ssl.SSLContext | None) -> Any:
        """A handler that shakes hands first, within the time a request's head may take."""

        def handle(client: Any, addr: Any) -> None:
            assert context is not None
            try:
                with gevent.Timeout(self.timeouts.header):
                    wrapped = context.wrap_socket(client, server_side=True)
            except (OSError, gevent.Timeout) as error:
                self.log.debug("No TLS with %s: %s", addr, error)
                client.close()
                return
            loop.serve(wrapped, addr)

        return handle

    def _sleep(self, seconds: float) -> None:
        """Sleep, but wake at once for a signal: its number arrives on the pipe."""
        readable, _, _ = gevent.select.select([self.PIPE[0]], [], [], seconds)
        if readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self.PIPE[0], 4096)

    def _end(self, loops: list[RequestLoop], servers: list[ConnectionServer]) -> None:
        """Let go of sockets, long-polls and idle connections, wait for the rest, close the application."""
        grace = gevent.Timeout(max(self.cfg.graceful_timeout - _CLOSE_S, 0.5) if self.timeouts.keepalive else 0.1)
        grace.start()
        try:
            for server in servers:
                server.close()
            if self.life is not None:
                self.life.stop_waiting()
            while any(len(server.pool) for server in servers):
                for loop in loops:
                    loop.close_idle()
                self.notify()
                gevent.sleep(0.02)
        except gevent.Timeout as over:
            if over is not grace:
                raise
            self.log.warning("Requests still running after the graceful timeout are cut off.")
            for server in servers:
                server.pool.kill(block=True, timeout=0.5)
        finally:
            grace.close()
        if self.life is not None:
            self.life.close()

    @contextlib.contextmanager
    def _heartbeat(self) -> Any:
        """Notify the master from a thread of its own: starting may wait long for a lease, or migrate a database."""
        sleep = monkey.get_original("time", "sleep")
        done = False

        def beat() -> None:
            beats = 0
            while not done:
                self.tmp.notify()
                sleep(_BEAT_S)
                beats += 1
                if beats * _BEAT_S == _PATIENCE_S and not done:
                    os.write(2, _STILL_STARTING)  # from a thread, so past everything that gevent has patched

        pool = ThreadPool(1)
        pool.spawn(beat)
        try:
            yield
        finally:
            done = True
            pool.kill()


def reason_not_to_start(error: BaseException) -> str | None:
    """The sentence to show instead of a traceback, for errors that an administrator can do something about."""
    sentences = getattr(error, "sentences", None)
    if sentences:
        return "\n".join(sentences)
    sentence = getattr(error, "sentence", None)
    if sentence:
        return str(sentence)
    if isinstance(error, OSError) and error.strerror:
        return f"The server cannot start: {error.strerror}{f': {error.filename}' if error.filename else ''}."
    return None
