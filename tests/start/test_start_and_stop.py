"""Starting, reloading and stopping real server processes, with a small application in the place of the real one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.start.servers import (
    GUNICORN,
    ROOT,
    STAND_IN,
    Server,
    connect,
    free_port,
    get,
    read_all,
    read_one,
    write_config,
)

Launch = Callable[..., Server]
SERVE = ["-m", "core.cli", "serve"]


def pid_of(port: int) -> int:
    return int(json.loads(get(port, "/environ"))["pid"])


def in_background(port: int, path: str) -> tuple[threading.Thread, list[bytes]]:
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(get(port, path)))
    thread.start()
    return thread, found


def until(claim: Callable[[], object], timeout_s: float = 8.0) -> None:
    """Poll until `claim` holds, asking the outside world rather than the clock."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@pytest.mark.parametrize("command", [GUNICORN, SERVE], ids=["gunicorn", "hsctl"])
def test_the_server_answers_within_two_seconds_and_says_what_it_is(
    launch: Launch, tmp_path: Path, command: list[str]
) -> None:
    port = write_config(tmp_path)
    began = time.monotonic()
    server = launch(command).wait_for(port)
    assert time.monotonic() - began < 2
    assert json.loads(get(port, "/environ"))["patched"] is True
    for said in (
        "example.com",
        f"http://127.0.0.1:{port}",
        "SQLite",
        "registration  closed",
        "stand-in",
        "homeserver.log",
    ):
        assert said in server.output


def test_without_a_config_file_it_serves_port_8008_from_a_data_folder_it_makes(launch: Launch, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8008))
        except OSError:
            pytest.skip("another program listens on port 8008 of this machine")
    server = launch(GUNICORN).wait_for(8008)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {"signing.key", "secrets.yaml", "media", "homeserver.log"} <= set(os.listdir(tmp_path / "data"))
    assert "server name   localhost" in server.output


def test_sigterm_ends_long_polls_and_lets_running_requests_finish(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path)
    server = launch(GUNICORN).wait_for(port)
    waiting, waited = in_background(port, "/wait")
    slowly, slow = in_background(port, "/slow")
    with connect(port) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_one(idle)
        time.sleep(0.1)  # the two requests are on their way
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert time.monotonic() - began < 5
        assert read_all(idle) == b""
    waiting.join()
    slowly.join()
    assert (waited, slow) == ([b"waited"], [b"slow"])
    assert [line.split()[0] for line in (tmp_path / "data/owners").read_text().splitlines()] == ["start", "close"]


def test_a_request_that_does_not_end_is_cut_off_after_the_graceful_timeout(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path, http={"graceful_timeout": "2s"})
    server = launch(GUNICORN).wait_for(port)
    with connect(port) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 100000\r\n\r\nabc")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.exit_code()
    assert time.monotonic() - began < 2.2
    assert "close" in (tmp_path / "data/owners").read_text()


def test_a_reload_refuses_no_connection_and_never_has_two_owners(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path)
    server = launch(GUNICORN).wait_for(port)
    first = pid_of(port)
    waiting, waited = in_background(port, "/wait")
    time.sleep(0.1)
    server.signal(signal.SIGHUP)
    until(lambda: pid_of(port) != first)  # every one of these requests is answered
    waiting.join()
    assert waited == [b"waited"]
    until(lambda: len((tmp_path / "data/owners").read_text().splitlines()) == 3)
    notes = [line.split() for line in (tmp_path / "data/owners").read_text().splitlines()]
    assert [what for what, _ in notes] == ["start", "close", "start"]
    assert notes[0][1] == notes[1][1] != notes[2][1]


@pytest.mark.parametrize("command", [GUNICORN, SERVE], ids=["gunicorn", "hsctl"])
def test_a_reload_takes_a_new_configuration(launch: Launch, tmp_path: Path, command: list[str]) -> None:
    port = write_config(tmp_path)
    server = launch(command).wait_for(port)
    other = write_config(tmp_path)
    server.signal(signal.SIGHUP)
    server.wait_for(other)


def test_a_reload_with_a_mistake_is_refused_and_the_server_goes_on(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path)
    server = launch(GUNICORN).wait_for(port)
    write_config(tmp_path, bcrypt_rounds="many")
    server.signal(signal.SIGHUP)
    until(lambda: "old configuration stays" in server.output)
    assert "bcrypt_rounds: 'many' is not allowed" in server.output
    assert get(port, "/") == b"hello"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for a certificate")
def test_several_listeners_plain_tls_and_unix_work_at_once(launch: Launch, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    plain, secure, path = free_port(), free_port(), str(tmp_path / "hs.sock")
    listeners = [
        {"port": plain, "bind_addresses": ["127.0.0.1"]},
        {"port": secure, "bind_addresses": ["127.0.0.1"], "tls": True},
        {"path": path, "mode": "600", "x_forwarded": True},
    ]
    write_config(tmp_path, listeners=listeners, tls_certificate_path="cert.pem", tls_private_key_path="key.pem")
    launch(GUNICORN).wait_for(plain).wait_for(path)
    shown = [json.loads(get(where, "/environ")) for where in (plain, path)]
    assert [(one["trellis.listener"], one["wsgi.url_scheme"]) for one in shown] == [
        (f"127.0.0.1:{plain}", "http"), (path, "http"),
    ]  # fmt: skip
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    context.check_hostname = False
    with connect(secure) as stuck, context.wrap_socket(connect(secure)) as client:  # `stuck` never shakes hands
        for ending in (b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):  # both ways through the worker
            client.sendall(b"POST /environ HTTP/1.1\r\n" + ending)
            answer = json.loads(read_one(client).partition(b"\r\n\r\n")[2])
            assert (answer["wsgi.url_scheme"], answer["trellis.listener"]) == ("https", f"127.0.0.1:{secure}")
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert len(read_one(client)) > 3_000_000
        assert stuck.fileno() > 0


def test_the_limit_on_connections_is_for_all_listeners_together(launch: Launch, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    listeners = [{"port": port, "bind_addresses": ["127.0.0.1"]} for port in ports]
    write_config(tmp_path, listeners=listeners, http={"worker_connections": 10})
    launch(GUNICORN).wait_for(ports[0])
    half_open = [connect(ports[n % 2]) for n in range(10)]
    until(lambda: not answers_soon(ports[0]))
    assert not answers_soon(ports[1])
    half_open.pop().close()
    assert get(ports[0], "/") == b"hello"
    assert get(ports[1], "/") == b"hello"
    for client in half_open:
        client.close()


def answers_soon(port: int) -> bool:
    """Whether a request is answered within half a second; a connection beyond the limit waits."""
    with connect(port, timeout_s=0.5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        try:
            return read_all(client) != b""
        except TimeoutError:
            return False


def test_a_listener_on_all_addresses_shows_ipv4_clients_as_such(launch: Launch, tmp_path: Path) -> None:
    port = free_port()
    write_config(tmp_path, listeners=[{"port": port}])
    launch(GUNICORN).wait_for(port)
    assert json.loads(get(port, "/environ"))["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("command", [GUNICORN, SERVE], ids=["gunicorn", "hsctl"])
def test_a_wrong_value_ends_the_start_with_a_sentence_and_code_2(
    launch: Launch, tmp_path: Path, command: list[str]
) -> None:
    write_config(tmp_path, max_upload_size="huge")
    server = launch(command)
    assert server.exit_code() == 2
    assert server.output.startswith("max_upload_size: 'huge' is not allowed; give a number of bytes")
    assert "Traceback" not in server.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"log_config": "/gone.yaml"}, "log_config: /gone.yaml cannot be read: No such file or directory."),
        ({"data_dir": "/proc/x"}, "/proc/x: No such file or directory; the server cannot start."),
        ({"listeners": [{"port": 1, "bind_addresses": ["127.0.0.1"], "tls": True}],
          "tls_certificate_path": "/gone.pem", "tls_private_key_path": "/gone.key"},
         "tls_certificate_path: /gone.pem cannot be read: No such file or directory."),
        ({"listeners": [{"port": 1, "bind_addresses": ["127.0.0.1"], "tls": True}],
          "tls_certificate_path": "/dev/null", "tls_private_key_path": "/dev/null"},
         "tls_certificate_path: /dev/null and /dev/null are no certificate in PEM form and its key"),
        ({"listeners": [{"path": "/gone/hs.sock"}]},
         "listeners: the folder /gone of the Unix socket does not exist or is not writable."),
    ],
)  # fmt: skip
def test_what_is_missing_ends_the_start_with_one_sentence(
    launch: Launch, tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    write_config(tmp_path, **settings)
    server = launch(GUNICORN)
    assert server.exit_code() == 2
    assert server.output.startswith(said)
    assert server.output.count("\n") == 1


def test_a_port_in_use_ends_the_start_with_one_sentence(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path)
    with socket.create_server(("127.0.0.1", port)):
        server = launch(GUNICORN)
        assert server.exit_code() == 2
    assert server.output == f"listeners: 127.0.0.1 port {port} cannot be listened on: Address already in use.\n"


def test_a_unix_socket_of_a_running_server_is_not_taken_from_it(launch: Launch, tmp_path: Path) -> None:
    path = str(tmp_path / "hs.sock")
    write_config(tmp_path, listeners=[{"path": path}])
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        server = launch(GUNICORN)
        assert server.exit_code() == 2
    assert server.output == f"listeners: {path} is in use by a running server.\n"


def test_more_workers_on_the_command_line_are_refused_as_well(launch: Launch, tmp_path: Path) -> None:
    write_config(tmp_path)
    server = launch([*GUNICORN, "-w", "2"])
    assert server.exit_code() == 2
    assert "workers: 2 is not allowed; give 1." in server.output


def test_an_application_that_cannot_start_says_why_without_a_traceback(launch: Launch, tmp_path: Path) -> None:
    write_config(tmp_path)
    server = launch(GUNICORN, FAIL_TO_BUILD="1")
    assert server.exit_code() != 0
    assert "The server cannot start: No space left on device: homeserver.db." in server.output
    assert "Traceback" not in server.output


def test_a_server_that_starts_slowly_says_what_it_waits_for(launch: Launch, tmp_path: Path) -> None:
    first_port = write_config(tmp_path)
    first = launch(GUNICORN).wait_for(first_port)
    second_port = write_config(tmp_path)
    second = launch(GUNICORN)
    until(lambda: "the server before this one is still letting go" in second.output)
    assert get(first_port, "/") == b"hello"
    first.stop()
    second.wait_for(second_port)


def test_a_log_config_is_used_where_given(launch: Launch, tmp_path: Path) -> None:
    handlers = {"file": {"class": "logging.FileHandler", "filename": str(tmp_path / "my.log")}}
    described = {"version": 1, "handlers": handlers, "root": {"level": "INFO", "handlers": ["file"]}}
    (tmp_path / "log.yaml").write_text(yaml.safe_dump(described))
    port = write_config(tmp_path, log_config="log.yaml", data_dri="x")
    server = launch(GUNICORN).wait_for(port)
    assert "log           " + str(tmp_path / "my.log") in server.output
    assert "data_dri: unknown setting, ignored; did you mean data_dir?" in (tmp_path / "my.log").read_text()


def test_a_worker_that_is_killed_is_replaced(launch: Launch, tmp_path: Path) -> None:
    port = write_config(tmp_path)
    server = launch(GUNICORN).wait_for(port)
    first = pid_of(port)
    os.kill(first, signal.SIGKILL)
    server.wait_for(port)
    assert pid_of(port) != first


def test_pure_commands_start_without_gevent() -> None:
    code = "import sys, core.cli.__main__ as m; m.main(['config', 'reference']); sys.exit('gevent' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert found.returncode == 0
    assert found.stdout.decode() == (ROOT / "docs/admin/configuration.md").read_text()


def test_the_settings_import_nothing_that_gevent_must_patch_first() -> None:
    code = (
        "import sys; from core.config.gunicorn import settings; from core.config import load_config;"
        "before = set(sys.modules); load_config(environ={});"
        "sys.exit(str(sorted({'ssl', 'requests', 'urllib3', 'flask', 'peewee', 'gevent'} & set(sys.modules))))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=STAND_IN, capture_output=True, text=True,
                           env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert found.stderr.strip() == "[]"
