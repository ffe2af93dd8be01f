"""Images that are decoded in one piece, in a process of their own."""

from __future__ import annotations

import io
import tempfile

import pytest
from PIL import Image

from core.errors import BadRequest, TooLarge
from core.media.imaging import takes_too_much
from core.media.imaging_process import make_elsewhere
from core.media.thumbnail_sizes import Wanted


@pytest.fixture
def file():
    """A file with an image of some size in it."""
    with tempfile.TemporaryFile() as found:

        def filled(form: str, width: int, height: int) -> io.BufferedRandom:
            Image.new("RGB", (width, height), (9, 99, 9)).save(found, form)
            found.seek(0)
            return found

        yield filled


@pytest.mark.parametrize(("form", "width", "is_elsewhere"), [("WEBP", 1200, True), ("AVIF", 1200, True),
                                                             ("WEBP", 600, False), ("PNG", 1200, False)])  # fmt: skip
def test_only_what_would_keep_others_waiting_goes_elsewhere(file, form, width, is_elsewhere):
    assert takes_too_much(file(form, width, width)) is is_elsewhere


def test_a_thumbnail_comes_back_from_the_other_process(file):
    made = make_elsewhere(file("WEBP", 1200, 1100), Wanted(96, 96, True, False), 2_000_000)
    assert Image.open(io.BytesIO(made.content)).size == (96, 96)
    whole = make_elsewhere(file("WEBP", 1200, 1100), Wanted(0, 0, False, False, is_full=True), 2_000_000)
    assert (whole.content, whole.content_type) == (None, "image/webp")


def test_what_goes_wrong_there_is_told_here(file):
    with pytest.raises(TooLarge, match="more than 1000 pixels"):
        make_elsewhere(file("WEBP", 1200, 1100), Wanted(96, 96, True, False), 1000)
    broken = file("WEBP", 1200, 1100)
    broken.truncate(30)
    with pytest.raises(BadRequest, match="No thumbnail"):
        make_elsewhere(broken, Wanted(96, 96, True, False), 2_000_000)
