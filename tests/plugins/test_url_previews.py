"""Link previews without a server: what is read of pages, which links are closed, what oEmbed tells."""

from __future__ import annotations

import json
import time

import pytest

from core.hooks import InvalidParam, PluginError
from plugins.url_previews.charsets import decoded
from plugins.url_previews.oembed import find_endpoint, read_answer, read_providers
from plugins.url_previews.pages import MAX_DESCRIPTION, MAX_PROPERTIES, read_page
from plugins.url_previews.settings import Refused, read_settings
from plugins.url_previews.tags import attributes_of
from plugins.url_previews.visiting import cleaned_url

URL = "https://site.example/dir/page"


def properties(html):
    return read_page(html, URL).properties


def test_open_graph_comes_before_what_else_a_page_says():
    found = properties(
        "<title>Plain</title><meta name=description content=plain>"
        '<meta property="og:title" content="Open &amp; graph"><META CONTENT="short" PROPERTY="og:description">'
    )
    assert found == {"og:title": "Open & graph", "og:description": "short"}


def test_a_page_without_open_graph_is_described_by_title_and_paragraphs():
    around = "<h1>Head</h1><nav><p>Never mind this navigation text at all</nav><p>Menu</p>"
    page = f"{around}<p>It says <b>much</b> that is&nbsp;new.</p>"
    assert properties(page) == {"og:title": "Head", "og:description": "It says much that is new."}


def test_twitter_cards_and_meta_descriptions_fill_the_gaps():
    found = properties('<meta name="twitter:title" content="T"><meta name="description" content="D">')
    assert found == {"og:title": "T", "og:description": "D"}


def test_what_is_in_comments_scripts_and_hidden_parts_does_not_count():
    hidden = "<!-- <title>a</title> --><script>'<title>b</title>'</script><noscript><title>c</title></noscript>"
    assert properties(f"{hidden}<svg><title>d</title></svg><title>e</title>") == {"og:title": "e"}


def test_images_are_found_best_first_and_relative_to_the_page():
    page = read_page(
        '<link rel="icon" href="/icon.png"><img src=small.png width=20 height=20><img src=big.png width=640 height=480>'
        '<meta property="og:image" content="../cover.jpg">',
        URL,
    )
    assert page.images == [
        "https://site.example/cover.jpg",
        "https://site.example/dir/big.png",
        "https://site.example/icon.png",
    ]


def test_files_that_clients_would_fetch_from_the_site_are_left_out():
    assert (
        properties('<meta property="og:video" content="https://x/v.mp4"><meta property="og:audio:url" content="a">')
        == {}
    )


def test_properties_are_few_and_short():
    page = "".join(f'<meta property="og:x{number}" content="{"v" * 5000}">' for number in range(500))
    found = properties(page + f"<title>t</title><meta name=description content='{'word ' * 500}'>")
    assert len(found) <= MAX_PROPERTIES + 2
    assert max(map(len, found.values())) <= 1000
    assert len(found["og:description"]) <= MAX_DESCRIPTION


@pytest.mark.parametrize(
    "page",
    ["<" * 524_288, "<meta " * 87_000, "<title>" + "<" * 500_000, '<base href="' + "a/" * 3000 + '">' * 170_000,
     "<p>" * 174_000, ("<title>" + "<" * 500) * 1000, "<meta a='" + '"' * 500_000, "<!--" * 130_000],
    ids=["angles", "open tags", "open title", "bases", "paragraphs", "titles", "quotes", "comments"],
)  # fmt: skip
def test_no_page_takes_long_or_keeps_others_waiting(page):
    began = last = time.thread_time()
    pauses = []

    def pause():
        nonlocal last
        pauses.append(time.thread_time() - last)
        last = time.thread_time()

    read_page(page[:524_288], URL, pause)
    pause()
    assert time.thread_time() - began < 2
    assert max(pauses) < 0.05


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        ("naïve".encode(), "text/html", "naïve"),
        ("naïve".encode("cp1252"), "text/html", "naïve"),
        ("Привет".encode("koi8-r"), "text/html; charset=koi8-r", "Привет"),
        ("<meta charset='shift_jis'>日本".encode("shift_jis"), "text/html", "<meta charset='shift_jis'>日本"),
        ("\ufeff中文".encode("utf-16"), "text/html; charset=utf-8", "中文"),
        ("<?xml version='1.0' encoding='big5'?>中".encode("big5"), "", "<?xml version='1.0' encoding='big5'?>中"),
        ("naïve".encode(), "text/html; charset=no-such", "naïve"),
        (b"caf\xc3\xa9 \xe4\xb8", "text/html", "café �"),
        (b"a+b", "text/html; charset=utf-7", "a+b"),
    ],
)
def test_the_encoding_of_a_page_is_found(content, content_type, text):
    assert decoded(content, content_type).lstrip("\ufeff") == text


def test_links_are_closed_by_patterns_for_all_their_named_parts():
    refused = Refused(
        [{"scheme": "http", "netloc": "*.bad.example"}, {"path": "^/private/"}, {"port": "9200"}, {"username": "*"}]
    )
    assert refused.covers("http://a.bad.example/x")
    assert not refused.covers("https://a.bad.example/x")
    assert refused.covers("https://fine.example/private/x")
    assert refused.covers("https://fine.example:9200/")
    assert refused.covers("https://me@fine.example/")
    assert not refused.covers("https://fine.example/")


def test_a_wrong_setting_is_named():
    with pytest.raises(PluginError, match="hostnme"):
        read_settings({"url_blacklist": [{"hostnme": "x"}]})
    with pytest.raises(PluginError, match="no regular expression"):
        read_settings({"url_blacklist": [{"path": "^("}]})
    with pytest.raises(PluginError, match="disable_default_providers"):
        read_settings({"enabled": True, "oembed": {"providers": []}})


@pytest.mark.parametrize(
    "url", ["ftp://x/", "javascript:alert(1)", "http://", "http://a:0/", "http://[::1", "x", "http://x:99999/"]
)
def test_what_is_no_link_of_the_web_is_refused(url):
    with pytest.raises(InvalidParam):
        cleaned_url(url)


def test_links_are_visited_in_ascii_and_without_their_fragment():
    assert cleaned_url("https://bücher.example/straße?q=ü#part") == "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC"


def test_of_several_equal_attributes_the_first_counts():
    assert attributes_of("a=1 A='2' b c=\"x > y\"") == {"a": "1", "b": "", "c": "x > y"}


def test_known_providers_are_asked_instead_of_the_page(tmp_path):
    listed = tmp_path / "providers.json"
    endpoint = {"schemes": ["https://*.clips.example/v/*"], "url": "https://clips.example/oembed.{format}"}
    listed.write_text(json.dumps([{"provider_name": "Clips", "endpoints": [endpoint]}]))
    providers = read_providers({"disable_default_providers": True, "additional_providers": [str(listed)]})
    asked = find_endpoint(providers, "https://www.clips.example/v/1")
    assert asked == "https://clips.example/oembed.json?url=https%3A%2F%2Fwww.clips.example%2Fv%2F1&format=json"
    assert find_endpoint(providers, "https://evil.example/.clips.example/v/1") is None
    assert find_endpoint(providers, "https://www.youtube.com/watch?v=x") is None
    assert find_endpoint(read_providers({}), "https://www.youtube.com/watch?v=x") is not None


def test_of_an_oembed_answer_words_and_an_image_are_taken_but_no_markup():
    told = {"type": "rich", "version": "1.0", "author_name": "Ann", "html": "<script>x()</script><p>Hi <b>you</b></p>",
            "thumbnail_url": "https://i.example/t.png"}  # fmt: skip
    page = read_answer(json.dumps(told).encode(), URL)
    assert page.properties["og:title"] == "Ann"
    assert "<" not in page.properties["og:description"]
    assert page.images == ["https://i.example/t.png"]
    assert read_answer(b"[" * 100_000, URL) is None
    assert read_answer(b'{"version": "9"}', URL) is None
