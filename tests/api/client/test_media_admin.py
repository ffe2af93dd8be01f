"""Media as administrators handle it, over HTTP."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.api.client.media_client import MediaUser, image


@pytest.fixture
def media(alice):
    return MediaUser(alice)


@pytest.fixture(scope="module")
def admin(server):
    return MediaUser(server.register(admin=True))


@pytest.fixture
def ask(admin):
    def ask(method, path, status=200, **options):
        url = f"{admin.base}/_synapse/admin/v1{path}"
        answer = admin._session.request(method, url, timeout=20, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_quarantine_withholds_every_copy_of_the_content(media, ask):
    content = image(64, 64, color=(1, 2, 3))
    first, second = media.upload(content), media.upload(content)
    ask("POST", f"/media/quarantine/{first}")
    assert [media.download(where).status_code for where in (first, second)] == [404, 404]
    assert media.thumbnail(second).status_code == 404
    ask("POST", f"/media/unquarantine/{first}")
    assert media.download(second).content == content


def test_protected_media_is_not_quarantined(media, ask):
    where = media.upload(b"a sticker")
    ask("POST", f"/media/protect/{where.partition('/')[2]}")
    ask("POST", f"/media/quarantine/{where}")
    assert media.download(where).content == b"a sticker"
    ask("POST", f"/media/unprotect/{where.partition('/')[2]}")
    assert ask("GET", f"/media/{where}")["media_info"]["safe_from_quarantine"] is False


def test_a_deleted_file_is_gone_and_one_that_shares_its_content_stays(server, media, ask):
    content = image(300, 300, color=(9, 9, 9))
    first, second = media.upload(content), media.upload(content)
    assert media.thumbnail(first).status_code == 200
    assert ask("DELETE", f"/media/{first}") == {"deleted_media": [first.partition("/")[2]], "total": 1}
    assert media.download(first).status_code == 404
    assert media.download(second).content == content
    before = len([path for path in (server.folder / "media/files").rglob("*") if path.is_file()])
    ask("DELETE", f"/media/{second}")
    assert len([path for path in (server.folder / "media/files").rglob("*") if path.is_file()]) == before - 2


def test_a_users_uploads_are_listed_in_pages_and_deleted(media, alice, ask):
    names = [f"{number}.txt" for number in range(3)]
    for name in names:
        media.upload(name.encode(), "text/plain", name)
    user = quote(alice.user_id)
    page = ask("GET", f"/users/{user}/media?limit=2&order_by=upload_name")
    assert ([one["upload_name"] for one in page["media"]], page["total"], page["next_token"]) == (names[:2], 3, 2)
    assert ask("DELETE", f"/users/{user}/media")["total"] == 3
    assert ask("GET", f"/users/{user}/media")["media"] == []


def test_statistics_count_what_each_user_uploaded(media, alice, ask):
    media.upload(b"12345")
    found = ask("GET", f"/statistics/users/media?search_term={quote(alice.user_id)}")
    assert found["users"] == [
        {
            "user_id": alice.user_id,
            "displayname": alice.user_id[1:].partition(":")[0],
            "media_count": 1,
            "media_length": 5,
        }
    ]


def test_all_of_a_user_is_quarantined(media, alice, ask):
    where = [media.upload(content) for content in (b"u1", b"u2")]
    assert ask("POST", f"/user/{quote(alice.user_id)}/media/quarantine") == {"num_quarantined": 2}
    assert [media.download(one).status_code for one in where] == [404, 404]


def _room_media(ask, room, wanted):
    deadline = time.monotonic() + 10
    while (found := ask("GET", f"/room/{quote(room)}/media")) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_room_lists_what_its_events_refer_to_until_they_are_redacted(media, alice, ask):
    where, elsewhere = media.upload(b"in a room"), "mxc://example.org/abc"
    room = alice.create_room()
    content = {"msgtype": "m.image", "body": "x", "url": f"mxc://{where}", "info": {"thumbnail_url": elsewhere}}
    event = alice.send(room, content)
    shown = {"local": [f"mxc://{where}"], "remote": [elsewhere]}
    assert _room_media(ask, room, shown) == shown
    alice.put(f"/v3/rooms/{quote(room)}/redact/{quote(event)}/t", {})
    assert _room_media(ask, room, {"local": [], "remote": []}) == {"local": [], "remote": []}


def test_old_media_is_deleted_unless_a_profile_shows_it(media, alice, ask):
    avatar, other = media.upload(b"my face"), media.upload(b"other")
    alice.put(f"/v3/profile/{quote(alice.user_id)}/avatar_url", {"avatar_url": f"mxc://{avatar}"})
    room = alice.create_room()
    alice.send(room, {"msgtype": "m.image", "body": "x", "url": "mxc://example.org/last"})
    _room_media(ask, room, {"local": [f"mxc://{avatar}"], "remote": ["mxc://example.org/last"]})
    gone = ask("POST", f"/media/delete?before_ts={int(time.time() * 1000) + 1}")["deleted_media"]
    assert other.partition("/")[2] in gone
    assert avatar.partition("/")[2] not in gone
    assert media.download(avatar).content == b"my face"


def test_a_time_in_seconds_is_refused(ask):
    assert ask("POST", f"/media/delete?before_ts={int(time.time())}", status=400)["errcode"] == "M_INVALID_PARAM"


def test_only_administrators_may_do_this(media):
    where = media.upload(b"mine")
    answer = media._session.delete(f"{media.base}/_synapse/admin/v1/media/{where}", timeout=10)
    assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN")
