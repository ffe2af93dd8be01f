"""Making thumbnails with Pillow. Runs in a thread, on files that somebody hostile may have made.

Only a few formats are decoded, whatever the file is called; sizes are checked before a pixel is; whatever a decoder
raises means that there is no thumbnail. Nothing is ever enlarged. A thread of Pillow often keeps all others from running,
so large images are worked on in strips.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from PIL import Image, ImageOps, ImageSequence

from core.errors import BadRequest, TooLarge
from core.media.thumbnail_sizes import Made, Wanted, target_size

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF")
"""What is decoded."""
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
"""What thumbnails may be, and so originals in their place. Spec: GET /thumbnail, header Content-Type."""
_AT_ONCE = frozenset({"WEBP", "AVIF"})
PIXELS_AT_ONCE = 1_048_576
"""Most pixels of the formats that Pillow decodes in one piece, while no other thread can run, that are decoded here."""
_TURNED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
MAX_FRAMES = 200
"""Frames of an animation that are kept; longer ones are shown still."""
MAX_FRAME_PIXELS = 4_194_304
"""Most pixels of one frame of an animation that is kept."""
STRIP_PIXELS = 1_048_576
"""So many pixels are converted at once; Pillow lets no other thread run meanwhile."""
_QUALITY = 80


def make_thumbnail(source: BinaryIO, wanted: Wanted, max_pixels: int) -> Made:
    """A thumbnail of the image in `source`. Raises: `TooLarge` (pixels), `BadRequest` (no image we can read)."""
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise _too_large(max_pixels)
            return _make(image, wanted, max_pixels)
    except TooLarge:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except Exception as error:  # decoders raise nearly anything for a file that was made to break them
        raise BadRequest("No thumbnail can be made of this file.") from error


def takes_too_much(source: BinaryIO) -> bool:
    """Whether decoding would keep all other threads from running for long; see core.media.imaging_process."""
    try:
        with Image.open(source, formats=FORMATS) as image:
            is_still = getattr(image, "n_frames", 1) == 1
            return image.format in _AT_ONCE and image.width * image.height > PIXELS_AT_ONCE // (1 if is_still else 4)
    except Exception:  # what cannot be opened takes nothing
        return False


def _make(image: Image.Image, wanted: Wanted, max_pixels: int) -> Made:
    moves = bool(getattr(image, "is_animated", False))
    turned = image.getexif().get(_ORIENTATION) in _TURNED
    width, height = (image.height, image.width) if turned else image.size
    is_small = wanted.is_full or (width <= wanted.width and height <= wanted.height)
    kind = _TYPES.get(image.format or "")
    if is_small and kind is not None and (not moves or wanted.is_animated):
        image.load()  # a broken file must not be served as a thumbnail
        return Made(kind, None)
    size = target_size(width, height, wanted)
    if moves and wanted.is_animated:
        frames = getattr(image, "n_frames", 1)
        if frames <= MAX_FRAMES and width * height <= MAX_FRAME_PIXELS and frames * width * height <= 4 * max_pixels:
            return _animation(image, size, wanted)
    return _still(image, size, wanted, turned)


def _still(image: Image.Image, size: tuple[int, int], wanted: Wanted, turned: bool) -> Made:
    is_photo = image.format in {"JPEG", "AVIF"}
    before = (size[1], size[0]) if turned else size
    image.draft("RGB", before)  # lets JPEG decode at a fraction of its size
    small = _cropped(ImageOps.exif_transpose(_resized(image, before)), wanted)
    out = io.BytesIO()
    if is_photo and small.mode == "RGB":
        small.save(out, "JPEG", quality=_QUALITY)
        return Made("image/jpeg", out.getvalue())
    small.save(out, "PNG", compress_level=3)
    return Made("image/png", out.getvalue())


def _animation(image: Image.Image, size: tuple[int, int], wanted: Wanted) -> Made:
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        durations.append(int(frame.info.get("duration", 100)))
        frames.append(_cropped(_resized(frame, size).convert("RGBA"), wanted))
    out = io.BytesIO()
    loop = int(image.info.get("loop", 1))
    frames[0].save(
        out, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=loop, quality=_QUALITY, method=2
    )
    return Made("image/webp", out.getvalue())


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    plain = image if image.mode in {"RGB", "L"} else _in_strips(image, size)
    found = plain.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if found.mode == "RGBa":
        found = found.convert("RGBA")
    found.info.pop("icc_profile", None)
    exif = image.getexif()
    if _ORIENTATION in exif:
        found.getexif()[_ORIENTATION] = exif[_ORIENTATION]
    return found


def _in_strips(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image in a mode that can be resized as it is, reduced to no less than twice the size on the way."""
    mode = "RGBa" if _is_see_through(image) else "RGB"
    factor = max(1, min(image.width // (2 * size[0]), image.height // (2 * size[1])))
    whole = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    rows = max(1, STRIP_PIXELS // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        if mode == "RGBa" and strip.mode != "RGBA":
            strip = strip.convert("RGBA")
        strip = strip.convert(mode)
        whole.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return whole


def _cropped(image: Image.Image, wanted: Wanted) -> Image.Image:
    if not wanted.is_crop:
        return image
    width, height = min(image.width, wanted.width), min(image.height, wanted.height)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _is_see_through(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info


def _too_large(max_pixels: int) -> TooLarge:
    return TooLarge(f"The image is too large for thumbnails: more than {max_pixels} pixels.")
