"""Uploads and downloads over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import threading

import pytest
import requests

from tests.api.client.media_client import MediaUser, image


@pytest.fixture
def media(alice):
    return MediaUser(alice)


def test_an_upload_comes_back_with_its_type_and_name(media):
    where = media.upload(b"\x89PNG\r\n\x1a\n and more", "image/png", "böse.png")
    answer = media.download(where)
    assert answer.content == b"\x89PNG\r\n\x1a\n and more"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == "inline; filename*=utf-8''b%C3%B6se.png"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_large_upload_comes_back_whole(media):
    content = os.urandom(3_000_001)
    assert media.download(media.upload(content, "application/zip")).content == content


def test_a_chunked_upload_comes_back_whole(media):
    pieces = [os.urandom(70_000) for _ in range(5)]
    assert media.download(media.upload(iter(pieces))).content == b"".join(pieces)


def test_an_empty_upload_comes_back_empty(media):
    answer = media.download(media.upload(b"", "text/plain"))
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_download_may_be_given_another_name(media):
    answer = media.download(media.upload(b"x", "text/plain", "a.txt") + "/b.txt")
    assert answer.headers["Content-Disposition"] == "inline; filename=b.txt"


def test_a_file_larger_than_allowed_is_refused_before_it_is_read(media):
    connection = http.client.HTTPConnection("127.0.0.1", int(media.base.rpartition(":")[2]), timeout=10)
    headers = {"Content-Length": str(10**9), "Authorization": f"Bearer {media.user.token}"}
    connection.request("POST", "/_matrix/media/v3/upload", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["errcode"]) == (413, "M_TOO_LARGE")
    connection.close()


def test_an_upload_without_a_length_is_cut_off_at_the_limit(server, media):
    pieces = (b"x" * 1_000_000 for _ in range(60))
    answer = media.request("POST", "/media/v3/upload", data=pieces)
    assert (answer.status_code, answer.json()["errcode"]) == (413, "M_TOO_LARGE")
    assert list((server.folder / "media" / "incoming").iterdir()) == []


def test_downloads_need_an_access_token(media):
    where = media.upload(b"secret")
    answer = requests.get(f"{media.base}/_matrix/client/v1/media/download/{where}", timeout=10)
    assert (answer.status_code, answer.json()["errcode"]) == (401, "M_MISSING_TOKEN")


def test_new_media_is_not_served_without_a_token_on_the_old_endpoints(media):
    where = media.upload(image(50, 50))
    for path in (f"download/{where}", f"thumbnail/{where}?width=32&height=32", f"download/{where}/x.png"):
        assert requests.get(f"{media.base}/_matrix/media/v3/{path}", timeout=10).status_code == 404


@pytest.mark.parametrize("where", ["..%2F..%2Fetc/passwd", "a/..%2f..%2fx", "a%00b/x", "x/%ff"])
def test_media_that_is_not_there_or_cannot_be_is_not_found(media, where):
    answer = media.download(where)
    assert answer.status_code in {400, 404}
    assert answer.json()["errcode"] in {"M_NOT_FOUND", "M_INVALID_PARAM"}


@pytest.mark.parametrize("origin", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3:8448"])
def test_media_of_private_addresses_is_not_fetched(media, origin):
    answer = media.download(f"{origin}/something")
    assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-500", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=4-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_served(media, asked, status, content, told):
    answer = media.download(media.upload(b"0123456789", "video/mp4"), headers={"Range": asked})
    assert (answer.status_code, answer.content, answer.headers.get("Content-Range")) == (status, content, told)


def test_a_range_beyond_the_end_is_answered_with_the_size(media):
    answer = media.download(media.upload(b"0123456789"), headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */10")


def test_who_has_the_file_already_is_told_so(media):
    where = media.upload(b"again and again")
    tag = media.download(where).headers["ETag"]
    assert media.download(where, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    assert media.download(where, headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"<svg onload='alert(1)'/>", "image/svg+xml"),
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"GIF89a/*<script>alert(1)</script>*/", "image/gif"),
        (b"<!DOCTYPE html>", "image/png"),
        (b"%PDF-1.4", "application/pdf"),
        (b"x", "image/png\r\nX-Evil: 1".replace("\r\n", " ")),
    ],
)
def test_what_a_browser_might_run_is_never_inline(media, content, content_type):
    answer = media.download(media.upload(content, content_type))
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_equal_content_is_stored_once(server, media):
    content = os.urandom(5000)
    before = sum(1 for path in (server.folder / "media" / "files").rglob("*") if path.is_file())
    first, second = media.upload(content), media.upload(content)
    assert first != second
    assert sum(1 for path in (server.folder / "media" / "files").rglob("*") if path.is_file()) == before + 1
    assert list((server.folder / "media" / "incoming").iterdir()) == []


def test_the_configuration_says_how_large_an_upload_may_be(media):
    assert media.request("GET", "/client/v1/media/config").json() == {"m.upload.size": 50 * 1024 * 1024}
    assert media.request("GET", "/media/v3/config").json() == {"m.upload.size": 50 * 1024 * 1024}


def test_a_reserved_id_can_be_filled_once_and_only_by_who_reserved_it(media, bob):
    where = media.request("POST", "/media/v1/create").json()["content_uri"].removeprefix("mxc://")
    other = MediaUser(bob).request("PUT", f"/media/v3/upload/{where}", data=b"x")
    assert (other.status_code, other.json()["errcode"]) == (403, "M_FORBIDDEN")
    early = media.download(where, params={"timeout_ms": 0})
    assert (early.status_code, early.json()["errcode"]) == (504, "M_NOT_YET_UPLOADED")
    assert media.request("PUT", f"/media/v3/upload/{where}", data=b"x" * 100_000).json() == {}
    assert media.download(where).content == b"x" * 100_000
    again = media.request("PUT", f"/media/v3/upload/{where}", data=b"y")
    assert (again.status_code, again.json()["errcode"]) == (409, "M_CANNOT_OVERWRITE_MEDIA")


def test_a_download_waits_for_the_upload(media, alice):
    where = media.request("POST", "/media/v1/create").json()["content_uri"].removeprefix("mxc://")
    found = []
    waiter = threading.Thread(target=lambda: found.append(MediaUser(alice).download(where).content))
    waiter.start()
    media.request("PUT", f"/media/v3/upload/{where}", data=b"at last")
    waiter.join(20)
    assert found == [b"at last"]


def test_ids_reserved_and_not_filled_are_limited(media):
    for _ in range(5):
        assert media.request("POST", "/media/v1/create").status_code == 200
    answer = media.request("POST", "/media/v1/create")
    assert (answer.status_code, answer.json()["errcode"]) == (429, "M_LIMIT_EXCEEDED")


def test_an_id_that_was_never_reserved_cannot_be_filled(server, media):
    answer = media.request("PUT", f"/media/v3/upload/{server.name}/neverreserved", data=b"x")
    assert (answer.status_code, answer.json()["errcode"]) == (404, "M_NOT_FOUND")
