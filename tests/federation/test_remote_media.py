"""Media of other servers: between two of ours, and from a server that tests script."""

from __future__ import annotations

import os
import threading

import pytest
import yaml

from tests.api.client.media_client import MediaUser, image, opened
from tests.servers.federating import FederatingServer
from tests.servers.remote import Reply

DOWNLOAD = "/_matrix/federation/v1/media/download"


def in_parts(content: bytes, headers: str = "Content-Type: image/png", boundary: str = "gap") -> Reply:
    """An answer as servers give it."""
    head = f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n{headers}\r\n\r\n"
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return Reply("200 OK", body, [("Content-Type", f"multipart/mixed; boundary={boundary}")])


@pytest.fixture
def media(alpha):
    return MediaUser(alpha.register())


def test_a_file_comes_from_the_other_server_with_its_name(media, beta):
    content = os.urandom(300_000)
    where = MediaUser(beta.register()).upload(content, "application/zip", "archive of böse.zip")
    answer = media.download(where)
    assert answer.content == content
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''archive%20of%20b%C3%B6se.zip"
    assert answer.headers["Content-Type"] == "application/zip"


def test_a_thumbnail_of_another_servers_image_is_made(media, beta):
    where = MediaUser(beta.register()).upload(image(400, 400, color=(7, 8, 9)))
    assert opened(media.thumbnail(where, 96, 96, method="crop")).size == (96, 96)


def test_another_server_gets_files_and_thumbnails_in_two_parts(alpha, media, remote):
    media_id = media.upload(image(200, 200, color=(5, 5, 5)), "image/png", "a.png").partition("/")[2]
    answer = remote.call(alpha.base, alpha.name, "GET", f"{DOWNLOAD}/{media_id}")
    boundary = answer.headers["Content-Type"].partition("boundary=")[2]
    assert answer.content.count(f"--{boundary}".encode()) == 3
    assert b"Content-Disposition: inline; filename=a.png\r\n\r\n\x89PNG" in answer.content
    small = f"/_matrix/federation/v1/media/thumbnail/{media_id}?width=32&height=32&method=crop"
    assert b"\x89PNG" in remote.call(alpha.base, alpha.name, "GET", small).content
    missing = remote.call(alpha.base, alpha.name, "GET", f"{DOWNLOAD}/missing")
    assert (missing.status_code, missing.json()["errcode"]) == (404, "M_NOT_FOUND")


def test_many_who_want_the_same_file_make_one_request(media, remote):
    remote.answer(f"{DOWNLOAD}/many", in_parts(b"for all"))
    found: list[bytes] = []
    askers = [
        threading.Thread(target=lambda: found.append(MediaUser(media.user).download(f"{remote.name}/many").content))
        for _ in range(8)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert found == [b"for all"] * 8
    assert len(remote.asked(f"{DOWNLOAD}/many")) == 1


def test_a_server_without_the_new_endpoint_is_asked_by_the_old_one(media, remote):
    remote.answer(f"{DOWNLOAD}/old", Reply("404 Not Found", {"errcode": "M_UNRECOGNIZED", "error": "?"}))
    old = Reply(
        "200 OK", b"old file", [("Content-Type", "text/plain"), ("Content-Disposition", 'inline; filename="o.txt"')]
    )
    remote.answer(f"/_matrix/media/v3/download/{remote.name}/old", old)
    answer = media.download(f"{remote.name}/old")
    assert (answer.content, answer.headers["Content-Disposition"]) == (b"old file", "inline; filename=o.txt")


def test_what_a_server_does_not_have_is_not_asked_for_again_at_once(media, remote):
    remote.answer(f"{DOWNLOAD}/none", Reply("404 Not Found", {"errcode": "M_NOT_FOUND", "error": "no"}))
    for _ in range(2):
        answer = media.download(f"{remote.name}/none")
        assert (answer.status_code, answer.json()["errcode"]) == (404, "M_NOT_FOUND")
    assert len(remote.asked(f"{DOWNLOAD}/none")) == 1


def test_a_file_that_is_being_uploaded_elsewhere_is_said_to_be(media, remote):
    remote.answer(f"{DOWNLOAD}/soon", Reply("504 Gateway Timeout", {"errcode": "M_NOT_YET_UPLOADED", "error": "wait"}))
    answer = media.download(f"{remote.name}/soon")
    assert (answer.status_code, answer.json()["errcode"]) == (504, "M_NOT_YET_UPLOADED")


@pytest.mark.parametrize(
    "reply",
    [
        Reply("200 OK", b"hello", [("Content-Type", "text/plain")]),
        Reply("200 OK", b"--gap\r\n\r\n{}\r\n--gap--", [("Content-Type", "multipart/mixed; boundary=gap")]),
        Reply("200 OK", b"--gap\r\n\r\n{}\r\n--gap\r\n\r\ncut", [("Content-Type", "multipart/mixed; boundary=gap")]),
        Reply("200 OK", b"x" * 200_000, [("Content-Type", "multipart/mixed; boundary=gap")]),
    ],
)
def test_an_answer_that_is_no_file_is_refused_and_not_kept(alpha, media, remote, reply):
    remote.answer(f"{DOWNLOAD}/broken", reply)
    assert media.download(f"{remote.name}/broken").status_code in {502, 503}
    assert list((alpha.folder / "media/incoming").iterdir()) == []


def test_remote_files_are_only_as_large_as_own_ones(make_server, remote):
    server = make_server(max_upload_size=1000)
    remote.answer(f"{DOWNLOAD}/large", in_parts(b"x" * 1001))
    answer = MediaUser(server.register()).download(f"{remote.name}/large")
    assert (answer.status_code, answer.json()["errcode"]) == (502, "M_TOO_LARGE")


def test_copies_are_kept_within_their_budget(make_server, remote):
    server = make_server(remote_media_cache_size=2500)
    media = MediaUser(server.register())
    for number in range(5):
        content = bytes([number]) * 1000
        remote.answer(f"{DOWNLOAD}/n{number}", in_parts(content))
        assert media.download(f"{remote.name}/n{number}").content == content
    kept = [path for path in (server.folder / "media/files").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) <= 2500


def test_a_user_may_have_only_so_much_fetched_from_other_servers(make_server, remote):
    server = make_server(remote_media_download_per_second=1, remote_media_download_burst_count="3K")
    greedy, other = MediaUser(server.register()), MediaUser(server.register())
    for number in range(3):
        remote.answer(f"{DOWNLOAD}/q{number}", in_parts(bytes([number]) * 1300))
    assert [greedy.download(f"{remote.name}/q{number}").status_code for number in range(2)] == [200, 200]
    refused = greedy.download(f"{remote.name}/q2")
    assert (refused.status_code, refused.json()["errcode"]) == (429, "M_LIMIT_EXCEEDED")
    assert greedy.download(f"{remote.name}/q0").status_code == 200
    assert other.download(f"{remote.name}/q2").status_code == 200
    assert greedy.download(f"{remote.name}/q2").status_code == 200


def test_a_place_elsewhere_is_followed_but_not_into_the_private_network(tmp_path, certificate, remote):
    server = FederatingServer(tmp_path, certificate)
    server.config["ip_range_blacklist"] = ["10.0.0.0/8", "169.254.0.0/16"]
    server.config_path.write_text(yaml.safe_dump(server.config))
    remote.answer("/elsewhere", Reply("200 OK", b"moved here", [("Content-Type", "text/plain")]))
    try:
        media = MediaUser(server.start().register())
        remote.answer(f"{DOWNLOAD}/moved", in_parts(b"", f"Location: https://{remote.name}/elsewhere"))
        assert media.download(f"{remote.name}/moved").content == b"moved here"
        for number, address in enumerate(("10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]")):
            remote.answer(f"{DOWNLOAD}/in{number}", in_parts(b"", f"Location: http://{address}/secret"))
            answer = media.download(f"{remote.name}/in{number}")
            assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN"), address
    finally:
        server.stop()
