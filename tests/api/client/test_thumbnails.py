"""Thumbnails over HTTP: sizes, formats, and files made to break the decoder."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from tests.api.client.media_client import MediaUser, image, noise, opened


@pytest.fixture
def media(alice):
    return MediaUser(alice)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_every_format_gets_a_thumbnail(media, form):
    answer = media.thumbnail(media.upload(image(400, 200, form), f"image/{form.lower()}"), 96, 96, method="crop")
    assert opened(answer).size == (96, 96)
    assert answer.headers["Content-Type"] in {"image/png", "image/jpeg"}
    assert answer.headers["Content-Disposition"].startswith("inline; filename=thumbnail.")


def test_scale_keeps_the_shape(media):
    assert opened(media.thumbnail(media.upload(noise(800, 400)), 300, 200)).size == (320, 160)


def test_an_image_that_is_small_enough_is_its_own_thumbnail(media):
    content = image(20, 10)
    answer = media.thumbnail(media.upload(content), 96, 96, method="crop")
    assert answer.content == content


def test_nothing_is_enlarged(media):
    assert opened(media.thumbnail(media.upload(image(200, 20, "AVIF"), "image/avif"), 96, 96, method="crop")).size == (
        96,
        20,
    )


def test_a_size_beyond_all_thumbnails_gets_the_image_itself(media):
    content = image(2000, 1500, "JPEG")
    assert media.thumbnail(media.upload(content, "image/jpeg"), 1500, 1500).content == content


def test_a_photo_taken_sideways_stands_upright(media):
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = media.thumbnail(media.upload(image(800, 400, "JPEG", exif=exif), "image/jpeg"), 320, 240)
    assert opened(answer).size == (120, 240)


def _animation() -> bytes:
    frames = [Image.new("RGB", (400, 400), (shade, 0, 0)) for shade in (0, 120, 240)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=80)
    return out.getvalue()


def test_an_animation_moves_only_where_asked_for(media):
    where = media.upload(_animation(), "image/gif")
    moving = opened(media.thumbnail(where, 96, 96, animated="true"))
    assert (moving.format, moving.n_frames, moving.size) == ("WEBP", 3, (240, 240))
    still = opened(media.thumbnail(where, 96, 96, animated="false"))
    assert getattr(still, "n_frames", 1) == 1
    assert getattr(opened(media.thumbnail(where, 2000, 2000)), "n_frames", 1) == 1


def _png_of(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    parts = [(b"IHDR", header[4:]), (b"IDAT", data), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(b)) + a + b + struct.pack(">I", zlib.crc32(a + b)) for a, b in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (_png_of(60_000, 60_000), 413),
        (noise(300, 300)[:5000], 400),
        (image(300, 300, "JPEG")[:300], 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", 400),
        (b"GIF89a\xff\xff\xff\xff\xff\xff", 400),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", 400),
        (b"", 400),
    ],
)
def test_a_file_that_breaks_decoders_gets_an_error_and_no_more(media, content, status):
    where = media.upload(content)
    for _ in range(2):
        answer = media.thumbnail(where)
        assert answer.status_code == status, answer.text
    assert media.download(where).content == content


@pytest.mark.parametrize(
    "query", [{"width": 0}, {"height": -1}, {"method": "stretch"}, {"width": "x"}, {"animated": "1"}]
)
def test_a_request_that_makes_no_sense_is_refused(media, query):
    answer = media.thumbnail(media.upload(image(9, 9)), **{"width": 32, "height": 32, **query})
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_INVALID_PARAM")
