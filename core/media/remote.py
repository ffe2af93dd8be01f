"""Other servers' media: fetched once when first asked for, judged, kept, and let go of again.

Requests for the same file share one fetch. Copies are kept within a budget of bytes; those that nobody has asked for
for longest go first. How a file travels is `RemoteSource`'s matter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from core.errors import MatrixError, NotFound, TooLarge, Unavailable
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import ServerName
from core.media.clock import Clock, wall_clock_ms
from core.media.content_types import cleaned_content_type, may_be_inline
from core.media.curation import Curation
from core.media.downloads import Charge
from core.media.spool import Spool, Spooled, receive, unhurried
from core.media.uploads import Keeper, cleaned_name
from core.outbound.single_flight import SingleFlight
from core.storage.media import MediaStore, StoredMedia, UploadedAs
from core.storage.media_lists import MediaLists
from core.storage.transaction import Transaction

FORGET_FAILURE_MS = 60_000
"""For so long a server is not asked again for what it does not have."""
MAX_FAILURES = 10_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file on its way: what its server says of it, and the pieces."""

    content_type: str | None
    name: str | None
    pieces: Iterator[bytes]
    length: int | None = None
    """At most so many bytes, where that was announced."""


class RemoteSource(Protocol):
    """Asks other servers; implemented by federation."""

    def fetch(
        self, origin: ServerName, media_id: str, timeout_ms: int, max_bytes: int
    ) -> AbstractContextManager[Fetched]:
        """The file, open for the length of the block. Raises: `NotFound`, `MatrixError`s of 502, 503 and 504."""


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """What the configuration says of other servers' media."""

    max_bytes: int
    cache_bytes: int | None
    refused: Collection[str]
    needs_auth: bool


class RemoteTooLarge(MatrixError):
    """Another server's file is larger than this one takes."""

    errcode, status = "M_TOO_LARGE", 502


class RemoteRepository:
    """Implements core.media.downloads.RemoteMedia."""

    def __init__(
        self,
        own: ServerName,
        source: RemoteSource,
        media: MediaStore,
        lists: MediaLists,
        keeper: Keeper,
        spool: Spool,
        curation: Curation,
        plugins: PluginManager,
        settings: RemoteSettings,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._own, self._source, self._media, self._lists = own, source, media, lists
        self._keeper, self._spool, self._curation, self._plugins = keeper, spool, curation, plugins
        self._settings, self._now_ms = settings, now_ms
        self._flights: SingleFlight[tuple[str, str], StoredMedia] = SingleFlight()
        self._failures: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._kept_bytes: int | None = None

    def find(self, origin: ServerName, media_id: str, timeout_ms: int, charge: Charge) -> StoredMedia:
        """The copy kept here, fetched first. Raises: `NotFound`, and 502, 503 or 504 where it cannot be had now."""
        key = (origin, media_id)
        if origin in self._settings.refused:
            raise NotFound(f"Media of {origin} is not fetched here.")
        if self._failures.get(key, 0) > self._now_ms():
            raise NotFound(f"{origin} has no such media.")
        return self._flights.do(key, lambda: self._found(origin, media_id, timeout_ms, charge))

    def _found(self, origin: ServerName, media_id: str, timeout_ms: int, charge: Charge) -> StoredMedia:
        try:
            size = self._fetch(origin, media_id, timeout_ms, charge)
        except NotFound:
            self._failures[origin, media_id] = self._now_ms() + FORGET_FAILURE_MS
            if len(self._failures) > MAX_FAILURES:
                self._failures.popitem(last=False)
            raise
        found = self._media.find(origin, media_id)
        if found is None:
            raise Unavailable("The file was fetched and is gone already; try again.")
        self._keep_to_budget(size)
        return found

    def _fetch(self, origin: ServerName, media_id: str, timeout_ms: int, charge: Charge) -> int:
        most = self._settings.max_bytes
        with self._source.fetch(origin, media_id, timeout_ms, most) as fetched, self._spool.open() as spooled:
            try:
                receive(spooled, unhurried(_charged(fetched, charge)), most)
            except TooLarge as error:
                raise RemoteTooLarge(f"The file is larger than the {most} bytes taken from other servers.") from error
            return self._enter(origin, media_id, fetched, spooled)

    def _enter(self, origin: ServerName, media_id: str, fetched: Fetched, spooled: Spooled) -> int:
        content_type, name = cleaned_content_type(fetched.content_type), cleaned_name(fetched.name)
        mxc, size = f"mxc://{origin}/{media_id}", spooled.size_bytes
        if self._plugins.has(permissions.check_media):
            self._plugins.require(
                permissions.check_media, user_id=None, mxc=mxc, content_type=content_type, name=name,
                head=spooled.head, path=str(spooled.path),
            )  # fmt: skip
        inline = may_be_inline(content_type, spooled.head)
        said = UploadedAs(content_type, name, size, self._settings.needs_auth, inline)

        def enter(transaction: Transaction, file_id: str, now_ms: int) -> None:
            if not self._media.is_there(transaction, origin, media_id):  # another process may have been faster
                self._media.add(transaction, origin, media_id, None, file_id, said, now_ms)

        self._keeper.keep(spooled, enter)
        self._plugins.tell(observers.media_stored, mxc=mxc, user_id=None, content_type=content_type, size_bytes=size)
        return size

    def _keep_to_budget(self, added: int) -> None:
        """Let go of copies until the rest fits; what has just come stays."""
        budget = self._settings.cache_bytes
        if budget is None:
            return
        if self._kept_bytes is None:
            self._kept_bytes = self._lists.usage_of_remote()[1]
        else:
            self._kept_bytes += added
        while self._kept_bytes > budget:
            excess, chosen = self._kept_bytes - budget, []
            for one in self._lists.remote_not_seen_for_longest(self._own)[:-1]:
                if excess <= 0:
                    break
                chosen.append(one)
                excess -= one.size_bytes
            if not chosen:
                return
            self._curation.delete(chosen, by_admin=False)
            self._kept_bytes = self._lists.usage_of_remote()[1]


def _charged(fetched: Fetched, charge: Charge) -> Iterator[bytes]:
    """The pieces; they are charged for before any comes where it is known how many, else as they come."""
    if fetched.length is not None:
        charge(fetched.length)
        yield from fetched.pieces
        return
    for piece in fetched.pieces:
        charge(len(piece))
        yield piece
