"""An application with a life: it echoes, waits, streams and fails, and owns its data through a lock file."""

import fcntl
import json
import os

import gevent
import gevent.event
import gevent.monkey

TEXT = [("Content-Type", "text/plain")]


def build(config):
    """The application of core.app.build's contract."""
    if os.environ.get("FAIL_TO_BUILD"):
        raise OSError(28, "No space left on device", "homeserver.db")
    return App(config)


class App:
    def __init__(self, config):
        self.config, self.ended, self.lock = config, gevent.event.Event(), None

    def start(self):
        folder = self.config.server.data_dir
        self.lock = os.open(os.path.join(folder, "owner.lock"), os.O_RDWR | os.O_CREAT)
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                gevent.sleep(0.02)
        self._note("start")

    def stop_waiting(self):
        self.ended.set()

    def close(self):
        self._note("close")
        os.close(self.lock)

    def banner_facts(self):
        return [("Plugins", "stand-in")]

    def wsgi(self, environ, start_response):
        return answer(environ, start_response, self.ended)

    def _note(self, what):
        with open(os.path.join(self.config.server.data_dir, "owners"), "a") as file:
            file.write(f"{what} {os.getpid()}\n")


def answer(environ, start_response, ended):
    path = environ["PATH_INFO"]
    if path == "/wait":
        ended.wait(30)
        return whole(start_response, b"waited")
    if path == "/slow":
        gevent.sleep(0.5)
        return whole(start_response, b"slow")
    if path == "/fail":
        raise RuntimeError("the application fails")
    if path == "/half":
        start_response("200 OK", [*TEXT, ("Content-Length", "10")])
        return [b"half"]
    if path == "/more":
        start_response("200 OK", [*TEXT, ("Content-Length", "4")])
        return [b"more and more"]
    if path == "/stream":
        start_response("200 OK", list(TEXT))
        return iter([b"one ", b"", b"two"])
    if path == "/pieces":
        start_response("200 OK", [*TEXT, ("Content-Length", "7")])
        return [b"one ", b"two"]
    if path == "/nothing":
        start_response("204 No Content", [("Content-Length", "3")])
        return [b"abc"]
    if path == "/unchanged":
        start_response("304 Not Modified", [("ETag", "x")])
        return []
    if path == "/hop":
        return whole(start_response, b"hop", ("Connection", "close"), ("Keep-Alive", "9"), ("X-Kept", "yes"))
    if path == "/split":
        return whole(start_response, b"split", ("X-Bad", "a\r\nX-Injected: b"))
    if path == "/write":
        start_response("200 OK", [*TEXT, ("Content-Length", "5")])(b"wri")
        return [b"te"]
    if path == "/environ":
        shown = {key: value for key, value in environ.items() if isinstance(value, str)}
        shown["pid"] = os.getpid()
        shown["patched"] = gevent.monkey.is_module_patched("socket")
        return whole(start_response, json.dumps(shown).encode())
    if path == "/large":
        return whole(start_response, b"x" * 3_000_000)
    if path == "/unread":
        return whole(start_response, b"not read")
    if path == "/echo":
        return whole(start_response, environ["wsgi.input"].read())
    return whole(start_response, b"hello")


def whole(start_response, body, *headers):
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body))), *headers])
    return [body]


never = gevent.event.Event()


def application(environ, start_response):
    """The same without a life, for gunicorn's own worker."""
    return answer(environ, start_response, never)
