"""Thumbnails of large WebP and AVIF images, made in a process of its own.

Pillow decodes these formats in one piece, and no other thread of the process can run meanwhile: half a second for the
largest. `python -m core.media.imaging_process` reads the file from its standard input and writes the thumbnail to its
output; `make_elsewhere` starts that and waits for it, while others go on.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import BinaryIO

from gevent import subprocess

from core.errors import BadRequest, MatrixError, TooLarge
from core.media.thumbnail_sizes import Made, Wanted

SECONDS = 60.0
_TOO_LARGE = 3
_BROKEN = 4


def make_elsewhere(file: BinaryIO, wanted: Wanted, max_pixels: int) -> Made:
    """As `make_thumbnail`, in another process. Raises: `TooLarge`, `BadRequest`."""
    file.seek(0)
    file.flush()
    order = json.dumps({"wanted": asdict(wanted), "max_pixels": max_pixels})
    command = [sys.executable, "-m", __name__, order]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise BadRequest("No thumbnail can be made of this file in time.") from error
    kind, _, content = done.stdout.partition(b"\n")
    if done.returncode == 0:
        told = json.loads(kind)
        return Made(told["content_type"], content if told["is_made"] else None)
    sentence = content.decode("utf-8", "replace") or "No thumbnail can be made of this file."
    raise TooLarge(sentence) if done.returncode == _TOO_LARGE else BadRequest(sentence)


def main(order: str) -> int:
    """Make one thumbnail of what is on standard input; the exit code."""
    from core.media.imaging import make_thumbnail  # only here: the server itself may never need Pillow

    asked = json.loads(order)
    try:
        with open(0, "rb", closefd=False) as file:
            made = make_thumbnail(file, Wanted(**asked["wanted"]), asked["max_pixels"])
    except MatrixError as error:
        sys.stdout.buffer.write(b"\n" + error.sentence.encode())
        return _TOO_LARGE if isinstance(error, TooLarge) else _BROKEN
    told = json.dumps({"content_type": made.content_type, "is_made": made.content is not None})
    sys.stdout.buffer.write(told.encode() + b"\n" + (made.content or b""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
