"""The same requests through the short loop, through its hand-over to gunicorn, and through gunicorn's own worker."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.start.servers import Server, connect, free_port, get, read_all, read_one, talk

CONF = """
from core.web.request_loop import Timeouts
def post_fork(server, worker):
    if hasattr(worker, "timeouts"):
        worker.timeouts = Timeouts(keepalive=0.6, header=0.5, body=0.5, send=0.5)
bind = "127.0.0.1:{port}"
limit_request_line = 8190
keepalive = 1
control_socket_disable = True
secure_scheme_headers = {{}}
forwarder_headers = ""
loglevel = "critical"
accesslog = {accesslog!r}
sendfile = False
"""
LOOPS = {
    "short": ("core.web.worker.Worker", None),
    "handed-over": ("core.web.worker.Worker", "/dev/null"),
    "gunicorn": ("gunicorn.workers.ggevent.GeventWorker", None),
}


@pytest.fixture(scope="module", params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def port(loop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp(loop)
    worker, accesslog = LOOPS[loop]
    port = free_port()
    (folder / "conf.py").write_text(CONF.format(port=port, accesslog=accesslog))
    server = Server(folder, ["-m", "gunicorn", "-k", worker, "-c", "conf.py", "stand_in_app:application"])
    server.start().wait_for(port)
    yield port
    server.stop()


def statuses(answers: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)]


HOST = b"Host: x\r\n"
CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"
WHOLE = b"HTTP/1.1\r\n" + CLOSE


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / " + WHOLE, [200]),
        (b"GET / HTTP/1.1\r\n\r\n", [200]),
        (b"\r\nGET / " + WHOLE, [200]),
        (b"GET /?q=a%20b " + WHOLE, [200]),
        (b"GET http://x/ " + WHOLE, [200]),
        (b"OPTIONS * " + WHOLE, [200]),
        (b"GET //double/slash " + WHOLE, [200]),
        (b"GET /fail " + WHOLE, [500]),
        (b"GET /split " + WHOLE, [500]),
        (b"get / " + WHOLE, [400]),
        (b"G<T / " + WHOLE, [400]),
        (b"GET / HTTP/2.0\r\n" + CLOSE, [400]),
        (b"GET / HTTP/1.1\n" + CLOSE, [400]),
        (b"GET  / " + WHOLE, [200]),
        (b"GET\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), [400]),
        (b"GET /\xc3\xa9 " + WHOLE, [400]),
        (b"GET /a\x01b " + WHOLE, [400]),
        (b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nBad name: x\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nName : x\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Length: +1\r\n\r\na", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1x\r\n\r\na", [400]),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (b"POST /echo HTTP/1.1\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\na", [417]),
        (b"GET /" + b"a" * 8200 + b" " + WHOLE, [414]),
        (b"GET /" + b"a" * 8150 + b" " + WHOLE, [200]),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 8200 + b"\r\n\r\n", [431]),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", [431]),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 90 + CLOSE, [200]),
        (b"GET / HTTP/1.1\r\n" + (b"A: " + b"a" * 8000 + b"\r\n") * 110, [431]),
    ],
)  # fmt: skip
def test_a_request_is_served_or_refused_with_the_right_status(port: int, sent: bytes, expected: list[int]) -> None:
    assert statuses(talk(port, sent)) == expected


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", b"abcde"),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + b"z" * 200_000, b"z" * 200_000),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 65536\r\n\r\n" + b"z" * 65536, b"z" * 65536),
        (b"GET /pieces " + WHOLE, b"one two"),
        (b"GET /write " + WHOLE, b"write"),
        (b"GET /more " + WHOLE, b"more"),
        (b"GET /stream " + WHOLE, b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"),
        (b"GET /stream HTTP/1.0\r\n\r\n", b"one two"),
        (b"GET /large " + WHOLE, b"x" * 3_000_000),
        (b"HEAD /large " + WHOLE, b""),
        (b"GET /nothing " + WHOLE, b""),
        (b"GET /unchanged " + WHOLE, b""),
    ],
)  # fmt: skip
def test_bodies_arrive_whole(port: int, sent: bytes, body: bytes) -> None:
    assert talk(port, sent).partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize(
    ("request_head", "connection"),
    [
        (b"GET / HTTP/1.1\r\n", b"keep-alive"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n", b"close"),
        (b"GET / HTTP/1.1\r\nConnection: CLOSE\r\n", b"close"),
        (b"GET / HTTP/1.0\r\n", b"close"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", b"keep-alive"),
        (b"GET /hop HTTP/1.1\r\n", b"keep-alive"),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n", b"keep-alive"),
    ],
)  # fmt: skip
def test_the_connection_stays_as_the_client_asks(port: int, request_head: bytes, connection: bytes) -> None:
    body = b"0\r\n\r\n" if b"chunked" in request_head else b""
    with connect(port) as client:
        client.sendall(request_head + b"\r\n" + body)
        answer = read_one(client)
        assert b"\r\nConnection: " + connection + b"\r\n" in answer
        if connection == b"keep-alive":
            client.sendall(b"GET / " + WHOLE)
            assert statuses(read_all(client)) == [200]
        else:
            assert read_all(client) == b""


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    post = b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
    chunked = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
    answers = talk(port, post + b"one" + chunked + post + b"3rd" + b"GET / " + WHOLE)
    assert statuses(answers) == [200] * 4
    assert re.findall(rb"one|two|3rd|hello", answers) == [b"one", b"two", b"3rd", b"hello"]


def test_a_request_in_many_small_pieces_is_understood(port: int) -> None:
    sent = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    with connect(port) as client:
        for position in range(len(sent)):
            client.sendall(sent[position : position + 1])
        assert read_all(client).endswith(b"\r\n\r\nbody")


def test_the_environment_is_the_same_on_every_loop(port: int) -> None:
    shown = json.loads(
        get(port, "/%65nviron?a=%2F&b", "X-Twice: 1", "x-twice: 2", "Under_score: no", "Content-Type: a/b")
    )
    wanted = {
        "REQUEST_METHOD": "GET", "RAW_URI": "/%65nviron?a=%2F&b", "PATH_INFO": "/environ", "QUERY_STRING": "a=%2F&b",
        "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "", "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port), "HTTP_X_TWICE": "1,2", "HTTP_HOST": "x",
        "CONTENT_TYPE": "a/b", "HTTP_CONNECTION": "close",
    }  # fmt: skip
    assert {key: shown.get(key) for key in wanted} == wanted
    assert {key for key in shown if key.startswith("HTTP_")} == {"HTTP_X_TWICE", "HTTP_HOST", "HTTP_CONNECTION"}


def test_hop_by_hop_headers_of_the_application_are_dropped(port: int) -> None:
    answer = talk(port, b"GET /hop " + WHOLE)
    assert answer.count(b"Connection:") == 1
    assert b"Keep-Alive" not in answer
    assert b"X-Kept: yes\r\n" in answer


def test_an_expectation_is_met_before_the_body_is_sent(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert read_all(client).endswith(b"body")


def test_an_idle_connection_is_closed(port: int) -> None:
    with connect(port) as client:
        began = time.monotonic()
        assert read_all(client) == b""
        assert time.monotonic() - began < 4


def test_headers_that_never_end_time_out(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost")
        assert statuses(read_all(client)) in ([], [408])


def test_a_body_left_unread_does_not_become_the_next_request(port: int) -> None:
    smuggled = b"GET /fail HTTP/1.1\r\n\r\n"
    head = b"POST /unread HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    assert statuses(talk(port, head + smuggled + b"GET / " + WHOLE)) == [200, 200]


def test_a_refusal_is_a_matrix_error(port: int, loop: str) -> None:
    if loop == "gunicorn":
        pytest.skip("gunicorn answers in HTML")
    body = talk(port, b"GET /" + b"a" * 9000 + b" " + WHOLE).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["errcode"] == "M_TOO_LARGE"


OURS_ONLY = "gunicorn's own worker waits without end here"


def test_a_client_that_drips_its_headers_is_cut_off(port: int, loop: str) -> None:
    with connect(port) as client:
        began = time.monotonic()
        client.settimeout(0.2)
        client.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() - began < 5:
            try:
                client.sendall(b"A")
                if not client.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_body_that_never_comes_times_out(port: int, loop: str, size: int) -> None:
    if loop == "gunicorn":
        pytest.skip(OURS_ONLY)
    with connect(port) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\nabc" % size)
        began = time.monotonic()
        assert len(statuses(read_all(client))) <= 1
        assert time.monotonic() - began < 2


def test_what_comes_after_a_body_that_was_given_up_is_no_request(port: int, loop: str) -> None:
    if loop == "gunicorn":
        pytest.skip(OURS_ONLY)
    with connect(port) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 100000\r\n\r\nabc")
        answer = read_one(client)
        with contextlib.suppress(OSError):
            client.sendall(b"GET /fail HTTP/1.1\r\n\r\n")
            answer += read_all(client)
        assert 500 not in statuses(answer)


def test_an_answer_shorter_than_announced_ends_the_connection(port: int, loop: str) -> None:
    if loop == "gunicorn":
        pytest.skip(OURS_ONLY)
    with connect(port) as client:
        client.sendall(b"GET /half HTTP/1.1\r\n\r\n")
        assert read_all(client).endswith(b"\r\n\r\nhalf")


def test_a_client_that_takes_no_answer_holds_up_nobody(port: int, loop: str) -> None:
    with connect(port) as client:
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 5)
        assert get(port, "/") == b"hello"


def test_after_all_that_the_worker_is_still_the_first_one(port: int) -> None:
    pids = {json.loads(get(port, "/environ"))["pid"] for _ in range(3)}
    assert len(pids) == 1
