"""Files that somebody hostile may upload: each a name, what it claims to be, and the bytes, made afresh each time."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator

from PIL import Image


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes, rows: bytes | None = None, depth: int = 1, color: int = 0) -> bytes:
    """A PNG of those dimensions, whether or not there is so much in it."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(rows if rows is not None else b"\0", 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(form: str, width: int = 64, height: int = 64, **options: object) -> bytes:
    """An ordinary image."""
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(width * height * 3)).save(out, form, **options)
    return out.getvalue()


def frames(form: str, count: int, side: int) -> bytes:
    """An animation."""
    images = [Image.new("P" if form == "GIF" else "RGB", (side, side), number % 200) for number in range(count)]
    out = io.BytesIO()
    images[0].save(out, form, save_all=True, append_images=images[1:], duration=20)
    return out.getvalue()


SCRIPT = b"<script>alert(document.domain)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"


def markup() -> Iterator[tuple[str, str, bytes]]:
    """What a browser would run, and what looks like something else."""
    yield "svg", "image/svg+xml", SVG
    yield "svg called png", "image/png", SVG
    yield "html", "text/html", b"<html>" + SCRIPT
    yield "html called webp", "image/webp", b"<html>" + SCRIPT
    yield "html called mp4", "video/mp4", b"<!doctype html>" + SCRIPT
    yield "xhtml", "application/xhtml+xml", b'<html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>"
    yield "pdf", "application/pdf", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"
    yield "javascript", "text/javascript", b"alert(1)"
    yield "gif and javascript", "image/gif", b"GIF89a/*" + saved("GIF")[8:] + b"*/=1;" + SCRIPT
    yield (
        "png with html in a text chunk",
        "image/png",
        png(8, 8, chunk(b"tEXt", b"Comment\0" + SCRIPT), rows=b"\0\0" * 8),
    )
    yield "jpeg with html in a comment", "image/jpeg", saved("JPEG", comment=SCRIPT)
    yield "type with a line break", "image/png\r\nX-Evil: 1", saved("PNG")
    yield "flash", "application/x-shockwave-flash", b"CWS\x0f" + os.urandom(100)


def broken() -> Iterator[tuple[str, str, bytes]]:
    """What breaks decoders, or takes more than it looks."""
    for form in ("PNG", "JPEG", "GIF", "WEBP", "AVIF"):
        whole = saved(form, 300, 300)
        yield f"{form} cut short", f"image/{form.lower()}", whole[: len(whole) // 2]
        spoiled = bytearray(whole)
        for place in range(40, len(spoiled), max(1, len(spoiled) // 50)):
            spoiled[place] ^= 0x55
        yield f"{form} spoiled", f"image/{form.lower()}", bytes(spoiled)
    yield "png of two billion", "image/png", png(2**31 - 1, 2**31 - 1)
    yield "png of no size", "image/png", png(0, 0)
    yield "png of three billion", "image/png", png(60_000, 53_000, rows=bytes(1_000_000))
    yield "png at the limit of pixels", "image/png", png(5_700, 5_600, rows=bytes(5_700 // 8 + 2) * 5_600)
    yield "png with a text bomb", "image/png", png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 1)))
    yield (
        "png with a profile bomb",
        "image/png",
        png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(80_000_000), 1))),
    )
    yield "gif of many frames", "image/gif", frames("GIF", 1500, 16)
    yield "gif of a huge canvas", "image/gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + saved("GIF")[10:]
    yield "webp animation", "image/webp", frames("WEBP", 60, 200)
    yield "jpeg of many scans", "image/jpeg", _many_scans()
    yield "large jpeg", "image/jpeg", saved("JPEG", 3000, 2000, quality=90, progressive=True)
    yield "large webp", "image/webp", saved("WEBP", 1800, 1500, quality=60, method=0)
    yield "large avif", "image/avif", saved("AVIF", 1200, 900, speed=10)
    yield "bmp called png", "image/png", saved("BMP")
    yield "tiff called jpeg", "image/jpeg", saved("TIFF")
    yield "postscript called png", "image/png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage"
    yield "empty", "image/png", b""


def _many_scans() -> bytes:
    """A progressive JPEG whose last scan comes sixty times."""
    whole = saved("JPEG", 1200, 1200, progressive=True, quality=50)
    last = whole.rfind(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * 60 + b"\xff\xd9"
