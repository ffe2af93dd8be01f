"""Previews of links as clients get them, from a real server that visits real sites."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from tests.api.client.media_client import MediaUser, image, opened
from tests.servers.site import Site
from tests.servers.trellis import Server

CLOSED = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10",
          "fc00::/7", "0.0.0.0/8"]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(
        tmp_path_factory.mktemp("previews"),
        url_preview_enabled=True,
        url_preview_ip_range_blacklist=CLOSED,
        url_preview_ip_range_whitelist=["127.0.0.5/32"],
        url_preview_url_blacklist=[{"path": "/secret*"}],
        url_preview_accept_language=["de", "en;q=0.5"],
        max_spider_size="1M",
        rc_url_preview={"per_second": 1000, "burst_count": 1000},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site():
    with Site("127.0.0.5") as site:
        yield site


@pytest.fixture(scope="module")
def inside():
    """A site that nobody is to reach."""
    with Site("127.0.0.1") as inside:
        inside.put("/", "<title>secret</title>")
        yield inside
        assert inside.seen == []


@pytest.fixture
def user(alice):
    return MediaUser(alice)


@pytest.fixture
def preview(user):
    def ask(url, status=200, path="/client/v1/media/preview_url", **query):
        answer = user.request("GET", path, params={"url": url, **query})
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_a_page_is_shown_by_its_words_and_an_image_that_is_served_here(server, user, preview, site):
    picture = image(80, 60)
    site.put("/cover.png", picture, "image/png")
    url = site.put("/page", '<meta property="og:image" content="/cover.png"><title>T&auml;tigkeit</title>')
    found = preview(url)
    mxc = found.pop("og:image")
    assert found == {
        "og:title": "Tätigkeit", "og:image:type": "image/png", "og:image:width": 80, "og:image:height": 60,
        "matrix:image:size": len(picture),
    }  # fmt: skip
    assert mxc.startswith(f"mxc://{server.name}/")
    assert user.download(mxc.removeprefix("mxc://")).content == picture
    assert opened(user.thumbnail(mxc.removeprefix("mxc://"), method="crop")).size == (32, 32)
    assert dict(site.seen)["/page"]["accept-language"] == "de, en;q=0.5"


def test_the_older_endpoint_says_the_same_from_what_was_made_once(preview, site):
    url = site.put("/once", "<title>Once</title>")
    assert (
        preview(url) == preview(url, path="/media/v3/preview_url", ts=int(time.time() * 1000)) == {"og:title": "Once"}
    )
    assert site.count("/once") == 1


def test_who_asks_at_the_same_time_waits_for_one_visit(user, site):
    url, answers = site.put("/together", "<title>Together</title>"), []
    users = [MediaUser(user.user) for _ in range(6)]

    def ask(asker):
        answers.append(asker.request("GET", "/client/v1/media/preview_url", params={"url": url}).json())

    threads = [threading.Thread(target=ask, args=(one,)) for one in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"og:title": "Together"}] * 6
    assert site.count("/together") == 1


def test_images_films_and_texts_are_shown_as_what_they_are(preview, site):
    assert preview(site.put("/a%20cat.png", image(10, 10), "image/png"))["og:title"] == "a cat.png"
    film = preview(site.put("/film.mp4", b"\0" * 5_000_000, "video/mp4"))
    assert film == {"og:title": "film.mp4", "og:type": "video.other", "og:video:type": "video/mp4"}
    assert preview(site.put("/notes.txt", "Some  words", "text/plain"))["og:description"] == "Some words"
    assert preview(site.put("/data.bin", b"\0", "application/zip")) == {}


def test_what_is_called_an_image_and_is_none_is_not_kept(preview, site):
    for number, content in enumerate((b"<svg onload='x()'/>", b"<html><script>x()</script>", b"GIF89a" + b"\xff" * 50)):
        assert "og:image" not in preview(site.put(f"/fake{number}.png", content, "image/png"))


def test_a_page_may_name_an_oembed_answer(preview, site):
    site.put(
        "/oembed",
        '{"version": "1.0", "type": "video", "title": "A film", "provider_name": "Films"}',
        "application/json",
    )
    url = site.put("/film", '<link rel="alternate" type="application/json+oembed" href="/oembed">')
    found = preview(url)
    assert (found["og:title"], found["og:site_name"], found["og:type"]) == ("A film", "Films", "video.other")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0", "10.0.0.1", "192.168.1.1", "172.16.0.1",
     "169.254.169.254", "[fe80::1]", "[fd00::1]", "127.0.0.1."],
)  # fmt: skip
def test_addresses_that_are_closed_are_never_visited(user, inside, host):
    answer = user.request("GET", "/client/v1/media/preview_url", params={"url": f"http://{host}:{inside.port}/"})
    assert answer.status_code == (502 if host in NO_NAMES else 403), answer.text


NO_NAMES = {"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1."}
"""Spellings that some programs take for an address; here they are names that nobody has."""


def test_neither_redirects_nor_images_nor_oembed_lead_to_what_is_closed(preview, site, inside):
    inner = f"http://127.0.0.1:{inside.port}/"
    assert preview(site.redirect("/away", inner), status=403)["errcode"] == "M_FORBIDDEN"
    site.redirect("/image", inner)
    page = f'<title>x</title><meta property="og:image" content="/image"><meta name="twitter:image" content="{inner}">'
    assert preview(site.put("/lures", page)) == {"og:title": "x"}
    assert preview(site.put("/asks", f'<link rel=alternate type="application/json+oembed" href="{inner}">')) == {}


def test_links_on_the_deny_list_are_not_visited_whoever_leads_there(preview, site):
    secret = site.put("/secret/page", "<title>x</title>")
    assert preview(secret, status=403)["errcode"] == "M_FORBIDDEN"
    assert preview(site.redirect("/to-secret", secret), status=403)["errcode"] == "M_FORBIDDEN"
    assert site.count("/secret/page") == 0


def test_a_ring_of_redirects_a_broken_page_and_too_large_a_one_are_502(preview, site):
    preview(site.redirect("/ring", "/ring"), status=502)
    preview(site.put("/broken", "x", status=500), status=502)
    preview(site.put("/huge", b"x" * 1_100_000), status=502)
    assert site.count("/broken") == 1
    preview(site.base + "/broken", status=502)
    assert site.count("/broken") == 1


def test_the_beginning_of_a_long_page_is_enough(preview, site):
    assert preview(site.put("/long", "<title>Long</title>" + "x" * 900_000)) == {"og:title": "Long"}


def test_a_question_without_a_link_or_with_a_wrong_one_is_400(user, preview):
    assert user.request("GET", "/client/v1/media/preview_url").json()["errcode"] == "M_MISSING_PARAM"
    assert preview("file:///etc/passwd", status=400)["errcode"] == "M_INVALID_PARAM"
    assert preview("http://x.example/", status=400, ts="soon")["errcode"] == "M_INVALID_PARAM"
    assert preview("http://x.example/" + "a" * 5000, status=400)["errcode"] == "M_INVALID_PARAM"


def test_previews_are_for_those_who_are_signed_in(server, user):
    user._session.headers.pop("Authorization")
    for path in ("/client/v1/media/preview_url", "/media/v3/preview_url"):
        assert user.request("GET", path, params={"url": "http://x.example"}).json()["errcode"] == "M_MISSING_TOKEN"


def test_an_image_of_a_preview_counts_against_nobody_and_expires(server, preview, site):
    site.put("/mine.png", image(70, 70, color=(5, 6, 7)), "image/png")
    mxc = preview(site.put("/mine", '<meta property="og:image" content="/mine.png">'))["og:image"]
    connection = sqlite3.connect(server.folder / "hs.db")
    sql = "SELECT user_nid, expires_ms - created_ms FROM media WHERE media_id = ?"
    assert connection.execute(sql, (mxc.rpartition("/")[2],)).fetchone() == (None, (2 * 86_400 + 3_600) * 1000)
    connection.close()
