"""Uploads: reserving an id, taking a file in, judging it, storing it once.

The order is what makes a crash harmless: the file is spooled, judged, stored durably under a name of its own, and only
then entered in the database; the spooled copy goes last. Equal content is stored once, whoever uploads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import Conflict, Forbidden, LimitExceeded, NotFound, Unavailable
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import Requester, ServerName, UserId
from core.media.arrivals import Arrivals
from core.media.clock import Clock, wall_clock_ms
from core.media.content_types import cleaned_content_type, may_be_inline
from core.media.identifiers import is_media_id, new_media_id
from core.media.spool import Body, Spool, Spooled
from core.media.upload_limits import Allowance, UploadLimits
from core.media.vault import Vault
from core.storage.media import MediaStore, StoredMedia, UploadedAs
from core.storage.media_files import MediaFileStore, StoredFile
from core.storage.transaction import Transaction
from core.storage.writer import Writer

_TRIES = 3
_MAX_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """What the configuration says of uploads."""

    server_name: ServerName
    max_pending: int
    pending_ms: int
    needs_auth: bool


class Keeper:
    """Enters a spooled file: into the vault unless its content is there already, and into the database."""

    def __init__(self, vault: Vault, files: MediaFileStore, writer: Writer, now_ms: Clock = wall_clock_ms) -> None:
        self._vault, self._files, self._writer, self._now_ms = vault, files, writer, now_ms

    def keep(self, spooled: Spooled, enter: Callable[[Transaction, str, int], None]) -> None:
        """Store the file and call `enter(transaction, file_id, now_ms)` in the job that makes it known.

        Raises: `Unavailable`, and what `enter` raises; nothing is left behind then.
        """
        written: StoredFile | None = None
        for _ in range(_TRIES):
            known = self._files.find_by_hash(spooled.sha256)
            if known is None and written is None:
                backend = self._vault.write(spooled.file_id, spooled.file)
                written = StoredFile(spooled.file_id, spooled.size_bytes, backend, spooled.sha256)
            try:
                used = self._writer.submit(lambda transaction, ours=written: self._enter(transaction, spooled, ours, enter))  # type: ignore[misc]  # fmt: skip
            except BaseException:
                if written is not None and not self._files.is_known(written.file_id):
                    self._vault.delete(written.file_id, written.backend)
                raise
            if used is not None:
                if written is not None and used != written.file_id:
                    self._vault.delete(written.file_id, written.backend)
                return
        raise Unavailable("The same content is being deleted; try again.")

    def _enter(
        self,
        transaction: Transaction,
        spooled: Spooled,
        ours: StoredFile | None,
        enter: Callable[[Transaction, str, int], None],
    ) -> str | None:
        """The id of the file that is used; None where the known one was deleted meanwhile and ours is not written."""
        now_ms = self._now_ms()
        used = self._files.lock_by_hash(transaction, spooled.sha256)
        if used is None:
            if ours is None:
                return None
            self._files.add(transaction, ours, now_ms)
            used = ours.file_id
        enter(transaction, used, now_ms)
        return used


class Uploads:
    """What users do with uploads."""

    def __init__(
        self,
        media: MediaStore,
        keeper: Keeper,
        spool: Spool,
        limits: UploadLimits,
        arrivals: Arrivals,
        writer: Writer,
        plugins: PluginManager,
        settings: UploadSettings,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._media, self._keeper, self._spool, self._limits = media, keeper, spool, limits
        self._arrivals, self._writer, self._plugins = arrivals, writer, plugins
        self._settings, self._now_ms = settings, now_ms

    def largest(self, requester: Requester) -> int:
        """The largest upload of a user, in bytes."""
        return self._limits.of(requester).max_bytes

    def create(self, requester: Requester) -> tuple[str, int]:
        """(URI, expiry in milliseconds) of an id reserved for an upload to come.

        Raises: `LimitExceeded` where too many of the user's wait. Spec: POST /_matrix/media/v1/create.
        """
        settings, media_id, now_ms = self._settings, new_media_id(), self._now_ms()
        expires_ms = now_ms + settings.pending_ms

        def reserve(transaction: Transaction) -> None:
            if self._media.pending_of(transaction, requester.user_nid, now_ms) >= settings.max_pending:
                sentence = f"You have {settings.max_pending} uploads pending, as many as are allowed; finish one first."
                raise LimitExceeded(sentence, retry_after_ms=60_000, limiter="max_pending_media_uploads")
            self._media.reserve(transaction, settings.server_name, media_id, requester.user_nid, now_ms, expires_ms)

        self._writer.submit(reserve)
        return f"mxc://{settings.server_name}/{media_id}", expires_ms

    def upload(self, requester: Requester, body: Body, content_type: str | None, name: str | None) -> str:
        """Store a file; returns its URI.

        Raises: `TooLarge`, `Forbidden` beyond a quota or as a plugin says, `BadRequest` where it broke off.
        """
        media_id, origin = new_media_id(), self._settings.server_name

        def enter(transaction: Transaction, file_id: str, said: UploadedAs, now_ms: int) -> None:
            self._media.add(transaction, origin, media_id, requester.user_nid, file_id, said, now_ms)

        self._take(requester, self._limits.of(requester), body, content_type, name, media_id, enter)
        return f"mxc://{origin}/{media_id}"

    def upload_for_a_while(self, body: Body, content_type: str | None, name: str | None, lasting_ms: int) -> str:
        """Store a file of nobody's, without a quota, to be deleted after a time; returns its URI. Raises: as `upload`."""
        media_id, origin = new_media_id(), self._settings.server_name

        def enter(transaction: Transaction, file_id: str, said: UploadedAs, now_ms: int) -> None:
            self._media.add(transaction, origin, media_id, None, file_id, said, now_ms, now_ms + lasting_ms)

        self._take(None, Allowance(body.length or 0, ()), body, content_type, name, media_id, enter)
        return f"mxc://{origin}/{media_id}"

    def fill(
        self, requester: Requester, server: str, media_id: str, body: Body, content_type: str | None, name: str | None
    ) -> None:
        """Give a reserved id its file. Raises: as `upload`; `NotFound`, `Forbidden`, `Conflict` for the id."""
        reserved = self._reserved(requester, server, media_id)

        def enter(transaction: Transaction, file_id: str, said: UploadedAs, now_ms: int) -> None:
            is_there, filled_with = self._media.find_file_of(transaction, reserved.media_nid)
            if filled_with is not None:
                raise _overwriting()
            if not is_there:
                raise NotFound("This media id has expired.")
            self._media.fill(transaction, reserved.media_nid, file_id, said, now_ms)

        self._take(requester, self._limits.of(requester), body, content_type, name, media_id, enter)
        self._arrivals.announce(media_id)

    def _reserved(self, requester: Requester, server: str, media_id: str) -> StoredMedia:
        known = server == self._settings.server_name and is_media_id(media_id)
        found = self._media.find(server, media_id) if known else None
        if found is None or (found.expires_ms is not None and found.expires_ms <= self._now_ms()):
            raise NotFound("This media id was not reserved here, or it has expired.")
        if found.user_nid != requester.user_nid:
            raise Forbidden("Only the user who reserved this media id may upload to it.")
        if found.file_id is not None:
            raise _overwriting()
        return found

    def _take(
        self,
        requester: Requester | None,
        allowance: Allowance,
        body: Body,
        claimed_type: str | None,
        name: str | None,
        media_id: str,
        enter: Callable[[Transaction, str, UploadedAs, int], None],
    ) -> None:
        user_id = None if requester is None else requester.user_id
        if requester is not None:
            self._limits.check(requester, allowance, body.length or 0, self._now_ms())
        content_type, name = cleaned_content_type(claimed_type), cleaned_name(name)
        mxc = f"mxc://{self._settings.server_name}/{media_id}"
        with self._spool.receiving(body, allowance.max_bytes) as spooled:
            self._judge(user_id, mxc, content_type, name, spooled)
            inline = may_be_inline(content_type, spooled.head)
            said = UploadedAs(content_type, name, spooled.size_bytes, self._settings.needs_auth, inline)

            def enter_within_quota(transaction: Transaction, file_id: str, now_ms: int) -> None:
                if requester is not None:
                    self._limits.check(requester, allowance, spooled.size_bytes, now_ms, transaction)
                enter(transaction, file_id, said, now_ms)

            self._keeper.keep(spooled, enter_within_quota)
        self._plugins.tell(
            observers.media_stored, mxc=mxc, user_id=user_id, content_type=content_type,
            size_bytes=spooled.size_bytes,
        )  # fmt: skip

    def _judge(self, user: UserId | None, mxc: str, content_type: str, name: str | None, spooled: Spooled) -> None:
        """Let plugins look at the file before anybody can have it. Raises: what they reject it with."""
        if self._plugins.has(permissions.check_media):
            self._plugins.require(
                permissions.check_media, user_id=user, mxc=mxc, content_type=content_type, name=name,
                head=spooled.head, path=str(spooled.path),
            )  # fmt: skip


def cleaned_name(name: str | None) -> str | None:
    """A file name to keep: without control characters, at most 255 bytes of UTF-8; None for none."""
    if not name:
        return None
    kept = "".join(character for character in name if character.isprintable())
    kept = kept.encode("utf-8", "replace")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    return kept or None


def _overwriting() -> Conflict:
    return Conflict("This media id has its content already.", errcode="M_CANNOT_OVERWRITE_MEDIA")
