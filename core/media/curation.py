"""What administrators and retention do with media: deleting, quarantine, protection, and who refers to what.

Quarantined media is kept, and protected media is never quarantined or deleted for its age. What only encrypted events
refer to looks unreferenced; clients upload such files as octets, so those are never taken for unreferenced unless the
administrator says that they may be.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import gevent
from gevent.event import Event

from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import ServerName, UserId, UserNid
from core.media.clock import Clock, wall_clock_ms
from core.media.content_types import OCTETS, base_type
from core.media.vault import Deletion
from core.storage.media import MediaStore, StoredMedia
from core.storage.media_files import MediaFileStore
from core.storage.media_lists import MediaLists
from core.storage.media_references import LASTING, MediaReferenceStore, Referrer
from core.storage.transaction import Transaction
from core.storage.writer import Writer

LOG = logging.getLogger(__name__)
PAGE = 200
RETENTION_SECONDS = 3600.0
"""How often media that nobody has looked at for too long is deleted."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long media is kept after it was last asked for; None keeps it."""

    local_ms: int | None = None
    remote_ms: int | None = None


class Curation:
    """Keeps the repository in order."""

    def __init__(
        self,
        server_name: ServerName,
        media: MediaStore,
        lists: MediaLists,
        files: MediaFileStore,
        references: MediaReferenceStore,
        deletion: Deletion,
        writer: Writer,
        plugins: PluginManager,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._server_name, self._media, self._lists = server_name, media, lists
        self._files, self._references = files, references
        self._deletion, self._writer, self._plugins, self._now_ms = deletion, writer, plugins, now_ms

    def delete(
        self, media: Sequence[StoredMedia], by_admin: bool = True, kept_by: Collection[Referrer] = ()
    ) -> list[str]:
        """Delete media, and the files that nothing else uses; the ids of what is gone.

        What something of the kinds `kept_by` refers to by now is left alone.
        """

        def apply(transaction: Transaction) -> list[StoredMedia]:
            chosen = [one for one in media if not (kept_by and self._referrers(one, transaction) & set(kept_by))]
            self._files.doom_unused(transaction, self._media.delete(transaction, chosen))
            return chosen

        if not media:
            return []
        gone = self._writer.submit(apply)
        self._deletion.delete_doomed()
        for one in gone:
            if one.file_id is not None:
                self._plugins.tell(observers.media_deleted, mxc=one.mxc, by_admin=by_admin)
        return [one.media_id for one in gone]

    def quarantine(self, origin: str, media_id: str, by: UserId | None) -> int:
        """Withhold media and all with the same content, protected ones apart; `by` None ends it. How many changed."""
        return self._writer.submit(lambda transaction: self._media.set_quarantine(transaction, origin, media_id, by))

    def quarantine_all(self, media: Sequence[tuple[str, str]], by: UserId) -> int:
        """Withhold each of (server, media id), as `quarantine`; how many changed."""

        def apply(transaction: Transaction) -> int:
            return sum(self._media.set_quarantine(transaction, origin, media_id, by) for origin, media_id in media)

        return self._writer.submit(apply) if media else 0

    def protect(self, origin: str, media_id: str, is_protected: bool) -> bool:
        """Keep media from quarantine and retention, or no longer; False where there is none."""
        return self._writer.submit(
            lambda transaction: self._media.set_protected(transaction, origin, media_id, is_protected)
        )

    def of_user(self, user: UserNid) -> list[tuple[str, str]]:
        """(server, media id) of everything a user has uploaded."""
        found: list[tuple[str, str]] = []
        while page := self._lists.of_user(user, len(found), 1000):
            found += [(one.origin, one.media_id) for one in page]
        return found

    def old(self, before_ms: int, *, is_local: bool, above_bytes: int = 0) -> Iterator[StoredMedia]:
        """Media last asked for before then, quarantined and protected apart; it may be deleted on the way."""
        after = 0
        local, remote_to = (self._server_name, None) if is_local else (None, self._server_name)
        while page := self._lists.older_than(
            before_ms, local=local, remote_to=remote_to, above_bytes=above_bytes, limit=PAGE, after=after
        ):
            yield from page
            after = page[-1].media_nid

    def unreferenced(self, before_ms: int, may_be_encrypted: bool = False) -> Iterator[StoredMedia]:
        """Local media from before then that nothing refers to; octets only where they `may_be_encrypted`."""
        for one in self.old(before_ms, is_local=True):
            is_visible = may_be_encrypted or base_type(one.content_type) != OCTETS
            if is_visible and one.created_ms < before_ms and not self._referrers(one):
                yield one

    def delete_old(self, before_ms: int, *, is_local: bool, above_bytes: int = 0, by_admin: bool = True,
                   kept_by: Collection[Referrer] = ()) -> list[str]:  # fmt: skip
        """Delete media last asked for before then; the ids of what is gone."""
        gone: list[str] = []
        page: list[StoredMedia] = []
        for one in self.old(before_ms, is_local=is_local, above_bytes=above_bytes):
            page.append(one)
            if len(page) >= PAGE:
                gone += self.delete(page, by_admin, kept_by)
                page = []
        return gone + self.delete(page, by_admin, kept_by)

    def retain(self, retention: Retention) -> int:
        """Delete what is older than configured; how much. What is shown for as long as it stands, as avatars are, stays."""
        now_ms, gone = self._now_ms(), self.delete_expired()
        if retention.local_ms is not None:
            before_ms = now_ms - retention.local_ms
            gone += len(self.delete_old(before_ms, is_local=True, by_admin=False, kept_by=LASTING))
        if retention.remote_ms is not None:
            gone += len(self.delete_old(now_ms - retention.remote_ms, is_local=False, by_admin=False))
        return gone

    def delete_expired(self) -> int:
        """Delete reserved ids never filled, and passing media that nothing refers to, whose time is over; how much."""
        now_ms, after, gone = self._now_ms(), 0, 0
        while page := self._lists.expired(now_ms, after):
            gone += len(self.delete(page, by_admin=False, kept_by=tuple(Referrer)))
            after = page[-1].media_nid
        return gone

    def _referrers(self, media: StoredMedia, transaction: Transaction | None = None) -> set[Referrer]:
        return self._references.referrers(media.origin, media.media_id, transaction)


class RetentionWorker:
    """Runs retention again and again; what expires by itself goes then, too."""

    def __init__(self, curation: Curation, retention: Retention, seconds: float = RETENTION_SECONDS) -> None:
        self._curation, self._retention, self._seconds = curation, retention, seconds
        self._stopping = Event()
        self._worker: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin, a period from now."""
        self._worker = gevent.spawn(self._run)

    def stop(self) -> None:
        """End; a deletion that has begun is finished at the next start."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.join(5)
            self._worker.kill()
            self._worker = None

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self._curation.retain(self._retention)
            except Exception:  # it is tried again in an hour
                LOG.exception("old media could not be deleted")
