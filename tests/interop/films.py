"""A film made of pictures, without an encoder: WebM whose every frame is the VP8 key frame that a WebP picture holds.

Each second has a color of its own, by which a browser can tell where it is; noise around it makes the file large. The
index stands at the end, where most programs put it, so a player has to ask for the end before it can seek.
Formats: RFC 9649 (WebP), RFC 9559 (Matroska).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence

from PIL import Image

WIDTH, HEIGHT, SQUARE = 320, 240, 80
FRAMES_PER_SECOND = 10
LEVELS = (30, 130, 230)
"""The brightness of red, green and blue: far enough apart to survive the compression."""


def color_of(second: int) -> tuple[int, int, int]:
    """The color of the square in the middle during a second of the film; 27 seconds are all different."""
    return LEVELS[second % 3], LEVELS[second // 3 % 3], LEVELS[second // 9 % 3]


def film(seconds: int) -> bytes:
    """A film of at most 27 seconds, some 800 KB each."""
    clusters = [_cluster(second, _frame(color_of(second))) for second in range(seconds)]
    info = _element("1549A966", _number("2AD7B1", 1_000_000), _element("4489", struct.pack(">d", seconds * 1000.0)))
    size = _element("E0", _number("B0", WIDTH), _number("BA", HEIGHT))
    kind = _number("D7", 1), _number("73C5", 1), _number("83", 1), _element("86", b"V_VP8")
    tracks = _element("1654AE6B", _element("AE", *kind, size))
    places = [("1549A966", info), ("1654AE6B", tracks), ("1F43B675", b"".join(clusters)), ("1C53BB6B", b"")]
    starts = _starts(len(_seek_head(places, [0] * 4)), [len(part) for _, part in places])
    at = _starts(starts[2], [len(cluster) for cluster in clusters])
    segment = (_seek_head(places, starts), info, tracks, *clusters, _cues(at))
    return _header() + _element("18538067", *segment)


def _frame(color: tuple[int, int, int]) -> bytes:
    """A VP8 key frame: the chunk of a WebP file after the twelve bytes that say what it is, and the eight of the chunk."""
    picture = Image.frombytes("RGB", (WIDTH, HEIGHT), os.urandom(WIDTH * HEIGHT * 3))
    picture.paste(color, ((WIDTH - SQUARE) // 2, (HEIGHT - SQUARE) // 2, (WIDTH + SQUARE) // 2, (HEIGHT + SQUARE) // 2))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=90, method=0)
    webp = out.getvalue()
    assert webp[12:16] == b"VP8 ", "the picture is lossy and has neither metadata nor transparency"
    return webp[20 : 20 + struct.unpack("<I", webp[16:20])[0]]


def _cluster(second: int, frame: bytes) -> bytes:
    """One second: the same picture in all its frames."""
    step = 1000 // FRAMES_PER_SECOND
    blocks = (_element("A3", struct.pack(">BhB", 0x81, n * step, 0x80), frame) for n in range(FRAMES_PER_SECOND))
    return _element("1F43B675", _number("E7", second * 1000), *blocks)


def _cues(positions: Sequence[int]) -> bytes:
    """The index: where each second begins."""
    return _element(
        "1C53BB6B",
        *(
            _element("BB", _number("B3", second * 1000), _element("B7", _number("F7", 1), _number("F1", position)))
            for second, position in enumerate(positions)
        ),
    )


def _seek_head(places: Sequence[tuple[str, bytes]], starts: Sequence[int]) -> bytes:
    """Where the parts of the segment begin."""
    return _element(
        "114D9B74",
        *(
            _element("4DBB", _element("53AB", bytes.fromhex(name)), _number("53AC", start))
            for (name, _), start in zip(places, starts, strict=True)
        ),
    )


def _starts(first: int, lengths: Sequence[int]) -> list[int]:
    """Where each of several parts begins, the first of them at `first`."""
    return [first + sum(lengths[:n]) for n in range(len(lengths))]


def _header() -> bytes:
    version = _number("4286", 1), _number("42F7", 1), _number("42F2", 4), _number("42F3", 8)
    return _element("1A45DFA3", *version, _element("4282", b"webm"), _number("4287", 2), _number("4285", 2))


def _number(name: str, value: int) -> bytes:
    return _element(name, struct.pack(">Q", value))


def _element(name: str, *content: bytes) -> bytes:
    """An element: its id, the length in eight bytes, and the content."""
    body = b"".join(content)
    return bytes.fromhex(name) + struct.pack(">Q", len(body) | 1 << 56) + body
