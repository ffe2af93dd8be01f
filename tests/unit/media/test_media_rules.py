"""The rules of media that need no server: types, names, choices of thumbnails, references."""

from __future__ import annotations

import pytest

from core.api.media_reply import disposition
from core.media.content_types import OCTETS, cleaned_content_type, may_be_inline
from core.media.identifiers import parse_mxc
from core.media.references import media_in
from core.media.thumbnail_sizes import Wanted, target_size
from core.media.thumbnails import Choice
from core.media.uploads import cleaned_name

SIZES = [(32, 32, "crop"), (96, 96, "crop"), (320, 240, "scale"), (640, 480, "scale")]


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("image/png", "image/png"),
        (None, OCTETS),
        ("", OCTETS),
        ("png", OCTETS),
        ("text/plain", "text/plain; charset=UTF-8"),
        ('text/plain; charset="iso-8859-1"', 'text/plain; charset="iso-8859-1"'),
        ("image/png\r\nSet-Cookie: a=b", OCTETS),
        ("image/png; a=b; c", "image/png"),
        ("a/" + "b" * 500, OCTETS),
        ("ïmage/png", OCTETS),
    ],
)
def test_a_content_type_is_kept_where_it_is_one(claimed, kept):
    assert cleaned_content_type(claimed) == kept


@pytest.mark.parametrize(
    ("content_type", "head", "is_inline"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n", True),
        ("IMAGE/PNG; x=y", b"\x89PNG\r\n\x1a\n", True),
        ("image/png", b"nothing that a browser could show", True),
        ("image/png", b"%PDF-1.7", False),
        ("audio/ogg", b"MZ\x90", False),
        ("image/png", b"\x89PNG\r\n\x1a\n<SCRIPT>", False),
        ("image/svg+xml", b"<svg/>", False),
        ("text/html", b"hi", False),
        ("text/plain; charset=UTF-8", b"<html>", True),
        ("video/mp4", b"\0\0\0\x18ftypmp42", True),
        ("video/mp4", b"  <!doctype html>", False),
    ],
)
def test_only_what_cannot_run_is_inline(content_type, head, is_inline):
    assert may_be_inline(content_type, head) is is_inline


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        ((32, 32, "crop"), "32x32-crop"),
        ((33, 20, "crop"), "96x96-crop"),
        ((300, 200, "scale"), "320x240-scale"),
        ((300, 200, "crop"), "320x240-scale"),
        ((10, 10, "scale"), "320x240-scale"),
        ((641, 10, "scale"), "full-scale"),
    ],
)
def test_the_smallest_thumbnail_that_is_large_enough_is_chosen(asked, form):
    assert Choice(SIZES, is_dynamic=False).of(*asked, is_animated=False).form == form


def test_a_dynamic_thumbnail_is_what_was_asked_for():
    assert Choice(SIZES, is_dynamic=True).of(50, 60, "crop", True).form == "50x60-crop-animated"


@pytest.mark.parametrize(
    ("size", "box", "is_crop", "target"),
    [
        ((800, 400), (320, 240), False, (320, 160)),
        ((800, 400), (96, 96), True, (192, 96)),
        ((50, 40), (320, 240), False, (50, 40)),
        ((20_000, 1), (32, 32), False, (32, 1)),
    ],
)
def test_an_image_is_never_enlarged_and_never_vanishes(size, box, is_crop, target):
    assert target_size(*size, Wanted(*box, is_crop, False)) == target


def test_every_uri_in_a_content_is_found_wherever_it_is():
    content = {"url": "mxc://a.b/1", "x": [{"y": {"z": "mxc://a.b/2"}}], "text": "see mxc://a.b/3", "mxc://c/4": {}}
    assert media_in(content) == {("a.b", "1"), ("a.b", "2"), ("a.b", "3"), ("c", "4")}


@pytest.mark.parametrize(
    "uri", ["mxc://a/../b", "mxc://a/", "mxc:///b", "http://a/b", "mxc://a b/c", None, "mxc://a/b%2f"]
)
def test_what_is_no_uri_is_none(uri):
    assert parse_mxc(uri) is None


def test_a_file_name_loses_what_could_break_a_header():
    assert cleaned_name("a\r\nb\0.png") == "ab.png"
    assert cleaned_name("\n") is None
    assert len((cleaned_name("ä" * 400) or "").encode()) <= 255
    assert disposition(False, 'x"y.png') == "attachment; filename*=utf-8''x%22y.png"
