"""The WSGI application: `gunicorn -k gevent core.wsgi`.

Importing this builds nothing. Our worker starts it with the configuration the master has read; under another WSGI
server the first request does.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from core.banner import banner
from core.config import Config, load_config
from core.config.first_start import prepare
from core.config.logs import set_up_logging


class Application:
    """The server's life in one process: started, serving, asked to stop, closed."""

    def __init__(self) -> None:
        self._app: Any = None

    def start(self, worker: Any) -> Any:
        """Build and start the server, say so once, and return the WSGI callable."""
        config = worker.config or prepare(load_config())
        self._start(config)
        logger = logging.getLogger("gunicorn.error")
        logger.handlers.clear()
        logger.propagate = True
        text = banner(config, self._app.banner_facts())
        logging.getLogger(__name__).info("%s", text)
        if worker.age == 1:
            print(text, file=sys.stderr, flush=True)
        return self._app.wsgi

    def stop_waiting(self) -> None:
        """End long-polls; running requests go on."""
        if self._app is not None:
            self._app.stop_waiting()

    def close(self) -> None:
        """Let go of the data."""
        if self._app is not None:
            self._app.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request under a server that knows nothing of `start`."""
        if self._app is None:
            self._start(prepare(load_config()))
        answered: Iterable[bytes] = self._app.wsgi(environ, start_response)
        return answered

    def _start(self, config: Config) -> None:
        set_up_logging(config.logging)
        for sentence in config.warnings:
            logging.getLogger("core.config").warning("%s", sentence)
        self._app = _load()(config)
        self._app.start()
        if config.server.gc_thresholds is not None:
            gc.set_threshold(*config.server.gc_thresholds)
        gc.collect()
        gc.freeze()  # what is loaded by now stays; later collections need not look at it
        _give_back_memory()


def _give_back_memory() -> None:
    """Hand what starting has freed back to the system: 11 MB where modules had to be compiled. Only glibc knows how."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _load() -> Callable[[Config], Any]:
    """Import the server. What that makes stays; looking for garbage in it over and over would double the time."""
    gc.disable()
    try:
        from core.web.lean_flask import import_flask

        import_flask()
        from core.app import build  # heavy, and only needed here
    finally:
        gc.freeze()
        gc.enable()
    return build


application = Application()
