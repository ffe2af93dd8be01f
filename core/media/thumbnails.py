"""Thumbnails: which one answers a request, made once and kept.

They are made when first asked for, in threads of their own, a few at a time; requests for the same one wait for it
together. Files that no thumbnail can be made of are remembered for a while.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import BinaryIO

from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from core.errors import LimitExceeded, MatrixError, NotFound
from core.media.imaging_process import make_elsewhere
from core.media.spool import Spool, receive, unhurried
from core.media.thumbnail_sizes import Made, Wanted
from core.media.vault import Vault
from core.outbound.single_flight import SingleFlight
from core.storage.media_files import MediaFileStore, StoredFile, Thumbnail
from core.storage.writer import Writer

THREADS = 1
MAX_WAITING = 200
"""Requests that wait for a thumbnail to be made at once; further ones are told to come again."""
MAX_FAILURES = 10_000
MAX_FORMS = 40
"""Thumbnails of one file that are kept where any size may be asked for."""
_IN_MEMORY_BYTES = 4_194_304
_MAX_SIDE = 4096


class Choice:
    """Which thumbnail answers a request."""

    def __init__(self, configured: Sequence[tuple[int, int, str]], is_dynamic: bool) -> None:
        self._configured = sorted((width * height, width, height, method) for width, height, method in configured)
        self.is_dynamic = is_dynamic

    def of(self, width: int, height: int, method: str, is_animated: bool, is_dynamic: bool | None = None) -> Wanted:
        """The one wanted for a request: exactly it, or the smallest configured one that is at least as large."""
        if self.is_dynamic if is_dynamic is None else is_dynamic:
            return Wanted(min(width, _MAX_SIDE), min(height, _MAX_SIDE), method == "crop", is_animated)
        for same_method in (True, False):
            for _, wide, high, configured in self._configured:
                if wide >= width and high >= height and (configured == method) is same_method:
                    return Wanted(wide, high, configured == "crop", is_animated)
        largest = self._configured[-1] if self._configured else (0, 800, 600, method)
        return Wanted(largest[1], largest[2], method == "crop", is_animated, is_full=True)


class Thumbnails:
    """Finds thumbnails or makes them."""

    def __init__(
        self, files: MediaFileStore, vault: Vault, spool: Spool, writer: Writer, choice: Choice, max_pixels: int
    ) -> None:
        self._files, self._vault, self._spool, self._writer = files, vault, spool, writer
        self._choice, self._max_pixels = choice, max_pixels
        self._threads, self._slots = ThreadPool(THREADS), BoundedSemaphore(THREADS)
        self._flights: SingleFlight[tuple[str, str], Thumbnail] = SingleFlight()
        self._waiting = 0
        self._failed: OrderedDict[tuple[str, str], MatrixError] = OrderedDict()

    def get(self, source: StoredFile, width: int, height: int, method: str, is_animated: bool) -> Thumbnail:
        """The thumbnail of a file for a request.

        Raises: `TooLarge`, `BadRequest` where none can be made, `LimitExceeded` where too many wait, `Unavailable`.
        """
        wanted = self._choice.of(width, height, method, is_animated)
        found = self._files.thumbnail(source.file_id, wanted.form)
        if found is not None:
            return found
        if self._choice.is_dynamic and self._files.thumbnail_count(source.file_id) >= MAX_FORMS:
            wanted = self._choice.of(width, height, method, is_animated, is_dynamic=False)
            found = self._files.thumbnail(source.file_id, wanted.form)
        return found or self._made_once((source.file_id, wanted.form), lambda: self._make(source, wanted))

    def stop(self) -> None:
        """Let the threads go."""
        self._threads.kill()

    def _made_once(self, key: tuple[str, str], make: Callable[[], Thumbnail]) -> Thumbnail:
        failed = self._failed.get(key)
        if failed is not None:
            raise type(failed)(failed.sentence, errcode=failed.errcode)
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded("Too many thumbnails are being made; try again in a moment.", retry_after_ms=2_000)
        self._waiting += 1
        try:
            return self._flights.do(key, make)
        except MatrixError as error:
            if error.status in {400, 413}:
                self._failed[key] = error
                if len(self._failed) > MAX_FAILURES:
                    self._failed.popitem(last=False)
            raise
        finally:
            self._waiting -= 1

    def _make(self, source: StoredFile, wanted: Wanted) -> Thumbnail:
        with self._slots, self._opened(source) as image:
            made = self._made(image, wanted)
        if made.content is None:
            thumbnail = Thumbnail(source, made.content_type)
            self._enter(source, wanted, thumbnail)
            return thumbnail
        with self._spool.open() as spooled:
            receive(spooled, unhurried([made.content]), len(made.content))
            backend = self._vault.write(spooled.file_id, spooled.file)
            file = StoredFile(spooled.file_id, spooled.size_bytes, backend)
            thumbnail = Thumbnail(file, made.content_type)
            try:
                is_entered = self._enter(source, wanted, thumbnail)
            finally:
                if not self._files.is_known(file.file_id):
                    self._vault.delete(file.file_id, backend)
            if is_entered:
                return thumbnail
        found = self._files.thumbnail(source.file_id, wanted.form)
        if found is None:
            raise NotFound("The file was deleted while its thumbnail was made.")
        return found

    def _made(self, image: BinaryIO, wanted: Wanted) -> Made:
        from core.media.imaging import make_thumbnail, takes_too_much  # brings Pillow, which many a server never needs

        if self._threads.apply(takes_too_much, (image,)):
            return make_elsewhere(image, wanted, self._max_pixels)
        image.seek(0)
        made: Made = self._threads.apply(make_thumbnail, (image, wanted, self._max_pixels))
        return made

    def _enter(self, source: StoredFile, wanted: Wanted, made: Thumbnail) -> bool:
        return self._writer.submit(
            lambda transaction: self._files.add_thumbnail(transaction, source.file_id, wanted.form, made)
        )

    def _opened(self, source: StoredFile) -> BinaryIO:
        """The file where Pillow can seek in it: in memory, on local disk where it is large."""
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
        for piece in unhurried(self._vault.read(source)):
            file.write(piece)
        file.seek(0)
        return file  # type: ignore[return-value]  # it is a BinaryIO in all but name
