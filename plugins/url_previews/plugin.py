"""Serves previews of links: from what was made before, or made once for all who ask at the same time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from core.hooks import Job, MatrixError, PluginApi, Requester, TableSet, Unavailable, Unrecognized, hookimpl
from plugins.url_previews import endpoints
from plugins.url_previews.settings import KEPT_SECONDS, PreviewSettings, read_settings
from plugins.url_previews.tables import TABLES, Preview, PreviewTables
from plugins.url_previews.visiting import cleaned_url

if TYPE_CHECKING:
    from plugins.url_previews.previews import Previews

AT_ONCE: Final = 8
"""So many links are visited at once; each may hold an image in memory."""
MAX_WAITING: Final = 100
MAX_FAILURES: Final = 1_000
FAILED_SECONDS: Final = 60.0
"""A link that could not be visited is not tried again for so long."""
CLEANING_SECONDS: Final = 3_600.0
LIMITER: Final = "rc_url_preview"


class UrlPreviews:
    """Contributes the endpoints, a table and the job that keeps that small."""

    def __init__(self, settings: PreviewSettings, api: PluginApi, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._api, self._clock = settings, api, clock
        self._tables = PreviewTables(api)
        self._previews: Previews | None = None
        self._slots = BoundedSemaphore(AT_ONCE)
        self._under_way: dict[str, AsyncResult] = {}
        self._failed: OrderedDict[str, tuple[float, MatrixError]] = OrderedDict()

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> PreviewSettings:
        """Read the plugin's part of the configuration."""
        return read_settings(config)

    @hookimpl
    def contribute_blueprints(self) -> Sequence[Blueprint]:
        """Endpoints, which clients ask for whether or not there are previews."""
        return [endpoints.blueprint(self._api, self)]

    @hookimpl
    def contribute_tables(self) -> Sequence[TableSet]:
        """The previews that were made."""
        return [TABLES] if self._settings.enabled else []

    @hookimpl
    def contribute_background_jobs(self) -> Sequence[Job]:
        """Forget old previews."""
        return [Job("clean", CLEANING_SECONDS, self.clean)] if self._settings.enabled else []

    def preview(self, requester: Requester, link: str, ts: int | None) -> Mapping[str, Any]:
        """The preview of a link, as of `ts` (milliseconds) where that is still known.

        Raises: `Unrecognized` where there are none, `NoPreview`, `Forbidden`, `InvalidParam`, `LimitExceeded`.
        """
        if not self._settings.enabled:
            raise Unrecognized("This server makes no previews of links.")
        url = cleaned_url(link)
        now = self._clock()
        known = self._tables.find(url)
        if known is not None and _is_good(known, int(now * 1000), ts):
            return known.answer
        failed = self._failed.get(url)
        if failed is not None and failed[0] > now:
            raise type(failed[1])(failed[1].sentence)
        self._api.gate.limit(requester, LIMITER)
        return self._made_once(url).answer

    def clean(self) -> None:
        """Forget what is too old."""
        self._tables.drop_before(int((self._clock() - KEPT_SECONDS) * 1000))

    def _made_once(self, url: str) -> Preview:
        """Make a preview, or wait for who makes it already."""
        waited = self._under_way.get(url)
        if waited is not None:
            found: Preview = waited.get()
            return found
        if len(self._under_way) >= MAX_WAITING:
            raise Unavailable("Too many previews are being made; try again in a moment.")
        result = self._under_way[url] = AsyncResult()
        try:
            with self._slots:
                made = self._make(url)
        except BaseException as error:
            is_answer = isinstance(error, MatrixError)
            result.set_exception(error if is_answer else Unavailable("The preview was given up; try again."))
            raise
        finally:
            del self._under_way[url]
        result.set(made)
        return made

    def _maker(self) -> Previews:
        """What makes previews, loaded with the first: it brings Pillow, and all that reads pages."""
        if self._previews is None:
            from plugins.url_previews.previews import Previews

            self._previews = Previews(self._api, self._settings, self._clock)
        return self._previews

    def _make(self, url: str) -> Preview:
        try:
            made = self._maker().make(url)
        except MatrixError as error:
            self._failed[url] = (self._clock() + FAILED_SECONDS, error)
            if len(self._failed) > MAX_FAILURES:
                self._failed.popitem(last=False)
            raise
        self._failed.pop(url, None)
        for mxc in [*self._tables.keep(url, made), *self._tables.drop_beyond()]:
            self._api.media.delete_early(mxc)
        return made


def _is_good(preview: Preview, now_ms: int, ts: int | None) -> bool:
    return now_ms < preview.good_until_ms or (ts is not None and preview.made_ms <= ts < preview.good_until_ms)
